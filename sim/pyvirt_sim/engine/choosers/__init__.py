"""Who decides. One search strategy per file.

basic      Canonical, RandomWalk, Drawn (for Hypothesis)
pct        Pct: probabilistic concurrency testing
urw        UniformWalk: every interleaving equally likely
bounded    PreemptionBound: all schedules with no preemption, then with one, ...
exhaustive Exhaustive: all schedules
dpor       Dpor: one schedule of each class of equivalent ones
replay     Replay, from a tape
portfolio  Portfolio: several of them in turn, the default of ``hunt``

All follow the protocol `pyvirt_sim.engine.Chooser`.
"""

from pyvirt_sim.engine.choosers.basic import Canonical as Canonical
from pyvirt_sim.engine.choosers.basic import Drawn as Drawn
from pyvirt_sim.engine.choosers.basic import RandomWalk as RandomWalk
from pyvirt_sim.engine.choosers.bounded import PreemptionBound as PreemptionBound
from pyvirt_sim.engine.choosers.dpor import Dpor as Dpor
from pyvirt_sim.engine.choosers.exhaustive import Exhaustive as Exhaustive
from pyvirt_sim.engine.choosers.pct import Pct as Pct
from pyvirt_sim.engine.choosers.portfolio import Member as Member
from pyvirt_sim.engine.choosers.portfolio import Portfolio as Portfolio
from pyvirt_sim.engine.choosers.replay import Replay as Replay
from pyvirt_sim.engine.choosers.urw import UniformWalk as UniformWalk
