"""Failures that explain themselves, for any Trio program.

subject      the program, and how to run it once more
rows         a run as lines to read
messages     which line led to which
conflict     the two steps whose order decides, and the nearest passing run
explanation  `explain`: all of it together
text         one screen
"""

from pyvirt_sim.engine.explain.conflict import Conflict as Conflict
from pyvirt_sim.engine.explain.conflict import Neighbour as Neighbour
from pyvirt_sim.engine.explain.explanation import BATCH_SCHEDULES as BATCH_SCHEDULES
from pyvirt_sim.engine.explain.explanation import Explanation as Explanation
from pyvirt_sim.engine.explain.explanation import Reachable as Reachable
from pyvirt_sim.engine.explain.explanation import explain as explain
from pyvirt_sim.engine.explain.messages import Message as Message
from pyvirt_sim.engine.explain.messages import messages_of as messages_of
from pyvirt_sim.engine.explain.rows import Row as Row
from pyvirt_sim.engine.explain.text import explanation_as_text as explanation_as_text
