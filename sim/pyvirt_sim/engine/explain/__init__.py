"""Failures that explain themselves, for any Trio program.

witness      who was passed over at each decision out of turn
text         the one screen
"""

from pyvirt_sim.engine.explain.explanation import Explanation as Explanation
from pyvirt_sim.engine.explain.explanation import explain as explain
from pyvirt_sim.engine.explain.text import explanation_as_text as explanation_as_text
from pyvirt_sim.engine.explain.witness import Deviation as Deviation
from pyvirt_sim.engine.explain.witness import Witness as Witness
