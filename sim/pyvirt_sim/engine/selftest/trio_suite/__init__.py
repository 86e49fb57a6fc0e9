"""Trio's own tests, collected from the installed Trio, run under the engine.

What Trio's developers hold ``trio.run`` to, ``simulate`` is held to as well: `run_suite` runs their
tests with every ``trio.run`` in them replaced by a run of the engine. Nothing of them is copied;
pytest must be installed. Those that cannot run are listed in `left_out`, with reasons.
"""

from pyvirt_sim.engine.selftest.trio_suite.suite import Report as Report
from pyvirt_sim.engine.selftest.trio_suite.suite import run_suite as run_suite
from pyvirt_sim.engine.selftest.trio_suite.suite import verify_left_out as verify_left_out
