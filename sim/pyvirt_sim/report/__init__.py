"""A finding for people and for programs: a screen of text, a page, and files for other tools."""

from pyvirt_sim.report.exports import as_json_lines as as_json_lines
from pyvirt_sim.report.exports import as_perfetto as as_perfetto
from pyvirt_sim.report.exports import as_shiviz as as_shiviz
from pyvirt_sim.report.files import check_report_name as check_report_name
from pyvirt_sim.report.files import write_report as write_report
from pyvirt_sim.report.html import explanation_as_html as explanation_as_html
from pyvirt_sim.report.html import finding_as_html as finding_as_html
from pyvirt_sim.report.json import outcome_as_json as outcome_as_json
from pyvirt_sim.report.text import finding_as_text as finding_as_text
