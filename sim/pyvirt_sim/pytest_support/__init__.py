"""What a test with the marker ``simulated`` needs; imported when the first one is collected.

options      the marker and the command line, together a `Search`
fixtures     asynchronous fixtures: set up and torn down within each run
running      the search for one test, and how its failure is told
plugin       pytest's hooks
"""

from pyvirt_sim.pytest_support.plugin import SimulatedTests as SimulatedTests
