"""Deterministic testing of any Trio program: every interleaving can be chosen, recorded, replayed.

Layers, lowest first:

    errors, tape, point      data
    where                    names of lines of code
    ordering                 Trio without orders that come from addresses
    record                   what a run leaves behind
    incarnation, net         machines and the network under Trio's sockets
    footprint                what each step touched, for searches that leave out equivalent runs
    waits, livelock          what a program did that cannot or will not end
    runner, fence            Trio's Runner without the operating system
    execution                one run while it runs
    choosers                 who decides
    determinism              the proof that a program gives one run for the same answers
    canary, run              `simulate` and `replay`
    node, crashes            machines that crash and restart, at every step
    disk                     files that a crash may lose or tear (`pyvirt_sim.engine.disk`)
    deviation                decisions told by whom they pass over
    hunt, shrink, search     many runs: find a failure, make it small
    explain                  say what happened in a failing run
"""

from pyvirt_sim.engine.choosers import Canonical as Canonical
from pyvirt_sim.engine.choosers import DeterminismCheck as DeterminismCheck
from pyvirt_sim.engine.choosers import Dpor as Dpor
from pyvirt_sim.engine.choosers import Drawn as Drawn
from pyvirt_sim.engine.choosers import Exhaustive as Exhaustive
from pyvirt_sim.engine.choosers import Member as Member
from pyvirt_sim.engine.choosers import Metrics as Metrics
from pyvirt_sim.engine.choosers import PartialOrderSampling as PartialOrderSampling
from pyvirt_sim.engine.choosers import Pct as Pct
from pyvirt_sim.engine.choosers import Portfolio as Portfolio
from pyvirt_sim.engine.choosers import PreemptionBound as PreemptionBound
from pyvirt_sim.engine.choosers import RandomWalk as RandomWalk
from pyvirt_sim.engine.choosers import Replay as Replay
from pyvirt_sim.engine.choosers import TimeBox as TimeBox
from pyvirt_sim.engine.choosers import UniformWalk as UniformWalk
from pyvirt_sim.engine.crashes import CrashAt as CrashAt
from pyvirt_sim.engine.crashes import crash_at_every_step as crash_at_every_step
from pyvirt_sim.engine.determinism import Divergence as Divergence
from pyvirt_sim.engine.determinism import Proof as Proof
from pyvirt_sim.engine.determinism import prove_deterministic as prove_deterministic
from pyvirt_sim.engine.errors import BlockedTask as BlockedTask
from pyvirt_sim.engine.errors import ChooserError as ChooserError
from pyvirt_sim.engine.errors import DeadlockError as DeadlockError
from pyvirt_sim.engine.errors import EngineError as EngineError
from pyvirt_sim.engine.errors import EscapeError as EscapeError
from pyvirt_sim.engine.errors import NondeterminismError as NondeterminismError
from pyvirt_sim.engine.errors import RedundantRun as RedundantRun
from pyvirt_sim.engine.errors import ReplayDivergedError as ReplayDivergedError
from pyvirt_sim.engine.errors import SearchEnded as SearchEnded
from pyvirt_sim.engine.errors import SearchExhausted as SearchExhausted
from pyvirt_sim.engine.errors import StepLimitError as StepLimitError
from pyvirt_sim.engine.errors import TapeFormatError as TapeFormatError
from pyvirt_sim.engine.errors import TimeBoxExpired as TimeBoxExpired
from pyvirt_sim.engine.errors import UnsupportedTrioError as UnsupportedTrioError
from pyvirt_sim.engine.fence import allow_escape as allow_escape
from pyvirt_sim.engine.footprint import Footprint as Footprint
from pyvirt_sim.engine.footprint import Shared as Shared
from pyvirt_sim.engine.footprint import labelled_only as labelled_only
from pyvirt_sim.engine.footprint import touch as touch
from pyvirt_sim.engine.hunt import HuntResult as HuntResult
from pyvirt_sim.engine.hunt import Progress as Progress
from pyvirt_sim.engine.hunt import hunt as hunt
from pyvirt_sim.engine.net import Host as Host
from pyvirt_sim.engine.net import Link as Link
from pyvirt_sim.engine.net import LinkPlan as LinkPlan
from pyvirt_sim.engine.net import Message as Message
from pyvirt_sim.engine.net import Network as Network
from pyvirt_sim.engine.net import current_network as current_network
from pyvirt_sim.engine.node import Crashable as Crashable
from pyvirt_sim.engine.node import Node as Node
from pyvirt_sim.engine.point import TIMER as TIMER
from pyvirt_sim.engine.point import Chooser as Chooser
from pyvirt_sim.engine.point import Point as Point
from pyvirt_sim.engine.point import RunStart as RunStart
from pyvirt_sim.engine.record import Note as Note
from pyvirt_sim.engine.record import Run as Run
from pyvirt_sim.engine.record import Step as Step
from pyvirt_sim.engine.record import failure_kind as failure_kind
from pyvirt_sim.engine.run import choose_from as choose_from
from pyvirt_sim.engine.run import current_run as current_run
from pyvirt_sim.engine.run import draw as draw
from pyvirt_sim.engine.run import note as note
from pyvirt_sim.engine.run import replay as replay
from pyvirt_sim.engine.run import simulate as simulate
from pyvirt_sim.engine.run import sometimes as sometimes
from pyvirt_sim.engine.shrink import ShrinkResult as ShrinkResult
from pyvirt_sim.engine.shrink import shrink as shrink
from pyvirt_sim.engine.tape import Draw as Draw
from pyvirt_sim.engine.tape import Stream as Stream
from pyvirt_sim.engine.tape import Tape as Tape
