"""The tutorial's project, as its reader has it: passes, fails, is read, is repaired, passes."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.wheel import tutorial

pytest_plugins = ["pytester"]

DOCS = Path(__file__).parents[3] / "docs"
HOW_TO = DOCS / "how-to" / "draw-worlds-and-workloads.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))

    def run_pytest(*args):
        return pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", *args)

    return run_pytest


def test_the_tutorial_s_bug_is_found_read_and_repaired(pytester, run):
    folder = str(pytester.path)
    tutorial.main(folder, "before")
    test = pytester.path / "test_mover.py"
    simulated = test.read_text()
    test.write_text(tutorial.files()["test_mover.py"])
    run("test_mover.py").assert_outcomes(passed=1)
    test.write_text(simulated)
    failed = run("test_mover.py")
    failed.assert_outcomes(failed=1)
    text = failed.stdout.str()
    assert "DeviceInUseError: PCI device 0000:02:00.0 is in use by driver QEMU, domain b" in text
    assert "runs before 'remove hostdev0[0]'" in text
    assert ", 1 out of turn." in text
    (line,) = re.findall(r"Replay it:\n  python -m pytest (.*)", text)
    run(*shlex.split(line)).assert_outcomes(failed=1)
    tutorial.main(folder, "after")
    run().assert_outcomes(passed=2)


def test_the_machines_of_the_how_to_do_what_it_says(pytester, run):
    pytester.makepyfile(test_it="\n".join(_BLOCK.findall(HOW_TO.read_text())))
    result = run()
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    assert text.count("pay_in amount=1") == 2
    assert "pay_in amount=2" not in text


def test_the_libvirt_program_of_the_how_to_hangs_until_it_is_repaired(pytester, run):
    page = DOCS / "how-to" / "test-a-libvirt-program.md"
    pytester.makepyfile(test_it="\n".join(_BLOCK.findall(page.read_text())))
    result = run()
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    assert "deadlock" in text
    assert "in unplug" in text
    assert "FAILED test_it.py::test_unplug_returns" in text
