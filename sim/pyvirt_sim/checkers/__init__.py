"""One promise per file, each a function that compares what was announced with what can be asked."""

from pyvirt_sim.checkers.promise import Observation as Observation
from pyvirt_sim.checkers.promise import PromiseBrokenError as PromiseBrokenError
