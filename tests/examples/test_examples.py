"""The how-to's examples do what its text says, and its table names them all."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pyvirt_sim.engine import Portfolio, hunt, replay, shrink
from tests.examples.programs import EXAMPLES, FOLDER, Example
from tests.examples.rates import HEAD, PAGE, RUNS

EACH = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@EACH
def test_the_race_is_found_small_and_replayable(example: Example) -> None:
    found = hunt(example.program, Portfolio(1), 300, **example.options).found
    assert found is not None
    smallest = shrink(example.program, found)
    assert smallest.after == 1
    assert replay(example.program, smallest.run.tape).digest == smallest.run.digest


@EACH
def test_the_cured_program_passes(example: Example) -> None:
    result = hunt(example.fixed_program, Portfolio(1), 200, **example.options)
    assert result.found is None
    assert result.schedules == 200


@EACH
def test_plain_trio_does_not_meet_the_race(example: Example) -> None:
    assert not any(example.fails_under_plain_trio() for _ in range(20))


def test_the_page_s_own_test_fails_as_the_page_shows(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    block = re.search(r"^```python\n(import pytest\n.*?)^```$", page, re.M | re.S)
    assert block is not None
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "test_pool.py").write_text(block[1], encoding="utf-8")
    shutil.copy(FOLDER / "connection_pool.py", shop)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "1 failed" in done.stdout
    shown = re.search(r"^```text\n(.*?)^```$", page, re.M | re.S)
    assert shown is not None
    for line in shown[1].splitlines()[:-1]:
        assert line.strip() in done.stdout


def test_the_table_of_the_page_is_one_that_the_command_printed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert HEAD in page
    rows = re.findall(r"^\| \[(\w+)\]\(\S+\) \| ([\d,]+) \| ([\d,]+) \| (\d+) \| 1 \|$", page, re.M)
    assert [name for name, *_ in rows] == [example.name for example in EXAMPLES]
    for _, plain, ours, _ in rows:
        assert int(plain.replace(",", "")) * 20 <= int(ours.replace(",", "")) <= RUNS
