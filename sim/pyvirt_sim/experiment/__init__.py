"""The experiment: how soon each strategy meets each bug of the zoo."""

from pyvirt_sim.experiment.table import Cell as Cell
from pyvirt_sim.experiment.table import tabulate as tabulate
from pyvirt_sim.experiment.table import write_csv as write_csv
from pyvirt_sim.experiment.trial import STRATEGIES as STRATEGIES
from pyvirt_sim.experiment.trial import Trial as Trial
from pyvirt_sim.experiment.trial import TrialResult as TrialResult
from pyvirt_sim.experiment.trial import perform as perform
