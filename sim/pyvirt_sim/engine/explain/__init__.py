"""Failures that explain themselves, for any Trio program.

text         the one screen
"""

from pyvirt_sim.engine.deviation import Deviation as Deviation
from pyvirt_sim.engine.deviation import Witness as Witness
from pyvirt_sim.engine.explain.explanation import Explanation as Explanation
from pyvirt_sim.engine.explain.explanation import explain as explain
from pyvirt_sim.engine.explain.text import explanation_as_text as explanation_as_text
