"""One pytest session over Trio's own tests, every ``trio.run`` in it a run of the engine.

It runs in a process of its own: it collects tests that are none of the caller's, and a test that
leaves the simulation may leave things behind. What became of each test is written as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest
import trio

from pyvirt_sim.engine.choosers.basic import Canonical, RandomWalk
from pyvirt_sim.engine.point import Chooser
from pyvirt_sim.engine.selftest.trio_suite.left_out import NEED_BATCHES, reason_of
from pyvirt_sim.engine.selftest.trio_suite.stand_in import trio_run_stands_on_the_engine

__all__ = ["PARTS", "trio_modules"]

ROOT: Final = Path(trio.__file__).parent
# A test that waits for the real world waits for ever. Those that pass take far below a second; one
# that is expected to fail need not be given the time a busy machine may take.
PATIENCE_S: Final = 10.0
LEFT_OUT_PATIENCE_S: Final = 0.5

# Which tests a session runs. `left-out` is for proving that those fail indeed.
PARTS: Final[dict[str, Callable[[str], bool]]] = {
    "all": lambda name: reason_of(name) is None,
    "not-batches": lambda name: reason_of(name) is None and name not in NEED_BATCHES,
    "batches": NEED_BATCHES.__contains__,
    "left-out": lambda name: reason_of(name) is not None,
}


class StuckError(BaseException):
    """A test waits for something that the simulation does not have."""


def trio_modules() -> list[str]:
    """Return the installed Trio's test modules, relative to the package."""
    found = [*ROOT.glob("_tests/test_*.py"), *ROOT.glob("_core/_tests/test_*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


class Plugin:
    """Selects tests, watches whether they reach the engine, and keeps what became of them."""

    def __init__(self, part: str) -> None:
        self.is_selected = PARTS[part]
        self.fails_fast = part == "left-out"
        self.patience_s = LEFT_OUT_PATIENCE_S if self.fails_fast else PATIENCE_S
        self.failed: set[str] = set()
        self.outcomes: dict[str, str] = {}
        self.runs = 0

    def name(self, item: pytest.Item) -> str:
        """Return the name of a test, ``_tests/test_sync.py::test_Event``."""
        return f"{item.path.relative_to(ROOT).as_posix()}::{item.name}"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what was selected."""
        names = [self.name(item) for item in items]
        self.outcomes.update(dict.fromkeys(names, "not selected"))
        items[:] = [item for item in items if self.is_selected(self.name(item).partition("[")[0])]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """One failure is enough to know that a module, or a test, is left out for a reason."""
        if self.fails_fast and self._group(item) in self.failed:
            pytest.skip("known to fail")

    def _group(self, item: pytest.Item) -> str:
        entry = reason_of(self.name(item))
        bare = self.name(item).partition("[")[0]
        return bare if entry is None or bare in entry.names else bare.partition("::")[0]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Watch one test, not longer than it deserves."""
        self.runs = 0
        signal.setitimer(signal.ITIMER_REAL, self.patience_s)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.outcomes[self.name(item)] = "passed" if self.runs else "no run"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the outcome of each phase of a test that did not simply pass."""
        report = yield
        if report.failed:
            self.outcomes[self.name(item)] = f"failed: {_summary(report)}"
            self.failed.add(self._group(item))
        elif report.skipped:
            self.outcomes[self.name(item)] = "skipped"
        return report

    def count_run(self) -> None:
        """Note that the running test ran something under the engine."""
        self.runs += 1


def _summary(report: pytest.TestReport) -> str:
    lines = [line for line in report.longreprtext.splitlines() if line[:1].strip()]
    return (lines or ["no message"])[-1][:160]


def _is_stuck(_signal: int, _frame: FrameType | None) -> None:
    raise StuckError("no end in the real time a test is given")


def _modules_of(part: str) -> list[str]:
    """Return the modules a part has tests in, as far as that is known without importing them."""
    entries = {name: reason_of(name) for name in trio_modules()}
    found = [name for name, entry in entries.items() if not entry or entry.is_collected]
    if part == "batches":
        wanted = {name.partition("::")[0] for name in NEED_BATCHES}
        return [name for name in found if name in wanted]
    return found


def run_session(part: str, policy: Any, seed: int | None) -> dict[str, str]:
    """Run a part of Trio's tests under one schedule each and return what became of them."""
    plugin = Plugin(part)
    files = [str(ROOT / name) for name in _modules_of(part)]

    def new_chooser() -> Chooser:
        return Canonical() if seed is None else RandomWalk(seed)

    # --run-slow: what is slow is slow because it sleeps, and here time is virtual.
    # Rubbish of tests that leave the simulation is no finding.
    warnings = "ignore" if part == "left-out" else "error"
    options = ["-q", "--tb=native", "--run-slow", "-W", warnings, "--import-mode=importlib"]
    where = ["-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    signal.signal(signal.SIGALRM, _is_stuck)
    with trio_run_stands_on_the_engine(new_chooser, policy, plugin.count_run):
        plugin_option = ["-p", "trio._tests.pytest_plugin"]
        status = pytest.main([*files, *where, *plugin_option, *options], plugins=[plugin])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        plugin.outcomes["session"] = f"failed: pytest ended with {status!r}"
    return plugin.outcomes


def main(arguments: Sequence[str]) -> None:
    """Run a session and write its outcomes to a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=PARTS, default="all")
    parser.add_argument("--policy", choices=["any", "batch"], default="any")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args(arguments)
    # Plug-ins of the caller's project have no say in Trio's own tests.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    outcomes = run_session(options.part, options.policy, options.seed)
    options.report.write_text(json.dumps(outcomes, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
    # Threads that a left-out test has leaked must not keep the process.
    sys.stdout.flush()
    os._exit(0)
