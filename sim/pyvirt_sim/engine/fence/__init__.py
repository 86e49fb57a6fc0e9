"""Keep the program inside the simulation.

gate        is this thread inside a run?
blame       who made a call, and where
boundary    what is refused and what to use instead (data)
swap        names that mean something else during a run
audit       refuses what Python reports to audit hooks
calls       refuses what it does not report
threads     Trio's worker threads
fence       puts all of it up and takes it down
"""

from pyvirt_sim.engine.fence.fence import Fence as Fence
from pyvirt_sim.engine.fence.gate import allow_escape as allow_escape
from pyvirt_sim.engine.fence.gate import outside as outside
