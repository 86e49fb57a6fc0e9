"""A finding for people and for programs: one screen of text, JSON, one self-contained page."""

from pyvirt_sim.report.html import explanation_as_html as explanation_as_html
from pyvirt_sim.report.html import finding_as_html as finding_as_html
from pyvirt_sim.report.json import outcome_as_json as outcome_as_json
from pyvirt_sim.report.text import finding_as_text as finding_as_text
