"""Promises, as a small language over traces of what was announced, called, answered and asked.

The core is `pyvirt_sim.checkers.trace`: entries, patterns, keys, `Checker`, `Trace`. One file per
word of the language, and one per promise that is made of them.
"""

from pyvirt_sim.checkers.ack_implies_effect import AckImpliesEffect as AckImpliesEffect
from pyvirt_sim.checkers.always import Always as Always
from pyvirt_sim.checkers.eventually import Eventually as Eventually
from pyvirt_sim.checkers.exactly_once import ExactlyOnce as ExactlyOnce
from pyvirt_sim.checkers.fold_equals_state import FoldEqualsState as FoldEqualsState
from pyvirt_sim.checkers.follows_within import FollowsWithin as FollowsWithin
from pyvirt_sim.checkers.incarnation_hygiene import IncarnationHygiene as IncarnationHygiene
from pyvirt_sim.checkers.never import Never as Never
from pyvirt_sim.checkers.no_waiter_left import NoWaiterLeft as NoWaiterLeft
from pyvirt_sim.checkers.one_terminal_outcome import OneTerminalOutcome as OneTerminalOutcome
from pyvirt_sim.checkers.precedes import Precedes as Precedes
from pyvirt_sim.checkers.promise import Observation as Observation
from pyvirt_sim.checkers.promise import PromiseBrokenError as PromiseBrokenError
from pyvirt_sim.checkers.subscription_window import SubscriptionWindow as SubscriptionWindow
from pyvirt_sim.checkers.trace import Checker as Checker
from pyvirt_sim.checkers.trace import Entry as Entry
from pyvirt_sim.checkers.trace import Kind as Kind
from pyvirt_sim.checkers.trace import Trace as Trace
from pyvirt_sim.checkers.trace import violations as violations
from pyvirt_sim.checkers.wait_graph import WaitGraph as WaitGraph
