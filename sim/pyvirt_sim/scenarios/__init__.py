"""Stories that are told twice: to the simulated host and, where it can be, to a real one."""

from pyvirt_sim.scenarios.scenario import Scenario as Scenario
from pyvirt_sim.scenarios.scenario import scenario_named as scenario_named
from pyvirt_sim.scenarios.scenario import scenario_names as scenario_names
