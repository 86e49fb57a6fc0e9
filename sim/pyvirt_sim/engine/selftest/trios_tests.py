"""Trio's own tests hold under the engine, and what is left out fails for its reason."""

from __future__ import annotations

from typing import Final

from pyvirt_sim.engine.selftest.check import Verdict
from pyvirt_sim.engine.selftest.trio_suite.suite import run_suite, verify_left_out

__all__ = ["check"]

# Of the tests that need nothing real, this part must pass.
LEAST_SHARE: Final = 0.9


def check() -> Verdict:
    """Run the suite and verify the list of what is left out."""
    report = run_suite()
    problems = [line for line in report.lines() if line.startswith("FAILED")]
    if report.share < LEAST_SHARE:
        problems.append(f"only {report.share:.1%} of the tests that need nothing real pass")
    problems.extend(verify_left_out())
    return Verdict(report.headline(), tuple(problems), tuple(report.lines()[1:]))
