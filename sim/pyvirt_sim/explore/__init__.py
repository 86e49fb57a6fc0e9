"""Searching the schedules of a scenario, for a known bug or for an unknown one."""

from pyvirt_sim.explore.coverage import Coverage as Coverage
from pyvirt_sim.explore.coverage import cover as cover
from pyvirt_sim.explore.finding import Finding as Finding
from pyvirt_sim.explore.finding import explain as explain
from pyvirt_sim.explore.hunting import HuntOutcome as HuntOutcome
from pyvirt_sim.explore.hunting import hunt_subject as hunt_subject
from pyvirt_sim.explore.subject import Subject as Subject
from pyvirt_sim.explore.subject import subject_named as subject_named
