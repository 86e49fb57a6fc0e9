"""``python -m pyvirt_sim.engine.selftest.trio_suite``: Trio's own tests under the engine."""

from __future__ import annotations

import argparse
import sys

from pyvirt_sim.engine.selftest.trio_suite.suite import run_suite, verify_left_out


def main() -> int:
    """Run the suite, or verify the list of what is left out; return the exit status."""
    parser = argparse.ArgumentParser(description="Run Trio's own tests under the engine.")
    parser.add_argument(
        "--verify", action="store_true", help="prove that what is left out exists and fails"
    )
    if parser.parse_args().verify:
        problems = verify_left_out()
        print("\n".join(problems) or "every entry of the list exists and fails")
        return bool(problems)
    report = run_suite()
    print("\n".join(report.lines()))
    return bool(report.failures)


if __name__ == "__main__":
    sys.exit(main())
