"""Who decides. One search strategy per file.

basic      Canonical, RandomWalk, Drawn (for Hypothesis)
pct        Pct: probabilistic concurrency testing
urw        UniformWalk: every interleaving equally likely
pos        PartialOrderSampling: priorities that races draw anew
bounded    PreemptionBound: all schedules with no preemption, then with one, ...
exhaustive Exhaustive: all schedules
dpor       Dpor: one schedule of each class of equivalent ones
replay     Replay, from a tape
portfolio  Portfolio: several of them in turn, the default of ``hunt``

Around any of them:

metrics    Metrics: counts
timebox    TimeBox: no further run when the time is up
determinism_check  DeterminismCheck: repeats some runs, which must come out the same

All follow the protocol `pyvirt_sim.engine.Chooser`.
"""

from pyvirt_sim.engine.choosers.basic import Canonical as Canonical
from pyvirt_sim.engine.choosers.basic import Drawn as Drawn
from pyvirt_sim.engine.choosers.basic import RandomWalk as RandomWalk
from pyvirt_sim.engine.choosers.bounded import PreemptionBound as PreemptionBound
from pyvirt_sim.engine.choosers.determinism_check import DeterminismCheck as DeterminismCheck
from pyvirt_sim.engine.choosers.dpor import Dpor as Dpor
from pyvirt_sim.engine.choosers.exhaustive import Exhaustive as Exhaustive
from pyvirt_sim.engine.choosers.metrics import Metrics as Metrics
from pyvirt_sim.engine.choosers.pct import Pct as Pct
from pyvirt_sim.engine.choosers.portfolio import Member as Member
from pyvirt_sim.engine.choosers.portfolio import Portfolio as Portfolio
from pyvirt_sim.engine.choosers.pos import PartialOrderSampling as PartialOrderSampling
from pyvirt_sim.engine.choosers.replay import Replay as Replay
from pyvirt_sim.engine.choosers.timebox import TimeBox as TimeBox
from pyvirt_sim.engine.choosers.urw import UniformWalk as UniformWalk
