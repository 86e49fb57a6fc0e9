"""The marker ``simulated``, from the outside: each test runs pytest in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import sys

import pytest

pytest_plugins = ["pytester"]

RACE = """
import pytest
import trio


@pytest.mark.simulated(schedules=300)
async def test_race():
    total = 0

    async def add(pauses):
        nonlocal total
        for _ in range(pauses):
            await trio.lowlevel.checkpoint()
        seen = total
        await trio.lowlevel.checkpoint()
        total = seen + 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(add, 0)
        nursery.start_soon(add, 4)
    assert total == 2
"""

pytrio = pytest.mark.parametrize("trio_mode", ["true", "false"], ids="trio_mode={}".format)


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest on a test file's source, in a new process; warnings are errors there too."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))

    def run_pytest(source, *args, trio_mode="false"):
        if source is not None:
            pytester.makepyfile(test_it=source)
        options = ("-W", "error", "-p", "no:cacheprovider", "-o", f"trio_mode={trio_mode}")
        return pytester.runpytest_subprocess(*options, *args)

    return run_pytest


def replay_line(text):
    return re.findall(r"Replay it:\n  (?:python -m )?pytest (.*)", text)[0]


def test_junitxml_keeps_how_many_schedules_ran(run, pytester):
    run(RACE.replace("assert total == 2", ""), "--junitxml=all.xml").assert_outcomes(passed=1)
    (xml,) = pytester.path.glob("all.xml")
    assert 'name="pyvirt_sim_schedules" value="300"' in xml.read_text()


@pytrio
def test_a_race_is_found_shrunk_explained_and_replayed(run, trio_mode):
    first = run(RACE, trio_mode=trio_mode)
    first.assert_outcomes(failed=1)
    text = first.stdout.str()
    assert "assert 1 == 2" in text
    assert "test_race/add[1]" in text
    assert "1 out of turn" in text
    again = run(None, *shlex.split(replay_line(text)), trio_mode=trio_mode)
    again.assert_outcomes(failed=1)
    assert "assert 1 == 2" in again.stdout.str()


def test_a_tape_of_another_program_is_refused(run):
    line = shlex.split(replay_line(run(RACE).stdout.str()))
    changed = run(RACE.replace("add, 4)", "add, 4); nursery.start_soon(add, 2)"), *line)
    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines(["*recorded from another program*"])


@pytrio
def test_fixtures_live_once_per_run_or_once_per_test(run, trio_mode):
    source = """
import pytest, trio
counts = {"async": 0, "sync": 0, "torn down": 0}

@pytest.fixture
def once():
    counts["sync"] += 1
    return "sync"

@pytest.fixture
async def each(once):
    counts["async"] += 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        yield once
        counts["torn down"] += 1
        nursery.cancel_scope.cancel()

@pytest.fixture
def derived(each):
    return each + "!"

class TestInAClass:
    @pytest.fixture(autouse=True)
    async def unasked(self):
        counts["unasked"] = counts.get("unasked", 0) + 1

    @pytest.fixture
    async def me(self):
        return self

    @pytest.mark.simulated(schedules=7)
    @pytest.mark.parametrize("number", [1, 2])
    async def test_values(self, each, derived, me, number):
        assert (each, derived, me) == ("sync", "sync!", self)
        await trio.sleep(1000)

def test_counts():
    assert counts == {"async": 14, "sync": 2, "torn down": 14, "unasked": 14}
"""
    run(source, trio_mode=trio_mode).assert_outcomes(passed=3)


def test_pytest_trios_own_fixtures_work(run):
    source = """
import pytest, trio

@pytest.mark.simulated(schedules=3)
async def test_nursery(nursery, autojump_clock):
    nursery.start_soon(trio.sleep_forever)
    await trio.sleep(1000)

@pytest.mark.simulated(schedules=3)
async def test_crash(nursery):
    async def crash():
        raise ValueError("mine")
    nursery.start_soon(crash)
    await trio.sleep_forever()

@pytest.mark.simulated
async def test_clock(mock_clock):
    pass

async def test_plain():
    await trio.sleep(0)
"""
    result = run(source, trio_mode="true")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*ValueError: mine*", "*'mock_clock' is a clock*"])
    result.stdout.no_fnmatch_line("*errors in a simulated test*")


def test_fixtures_that_cannot_work_are_refused(run):
    source = """
import pytest

@pytest.fixture(scope="module")
async def shared():
    yield 1

@pytest.fixture
async def twice():
    yield 1
    yield 2

@pytest.mark.simulated
async def test_shared(shared):
    pass

@pytest.mark.simulated
async def test_twice(twice):
    pass
"""
    result = run(source)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*'shared' has the scope 'module'*", "*'twice' yielded more than one value*"]
    )


def test_a_teardown_runs_after_a_failure_and_both_errors_are_told(run):
    source = """
import pytest

@pytest.fixture
async def breaks():
    yield
    raise ValueError("teardown")

@pytest.mark.simulated
async def test_it(breaks):
    raise KeyError("body")
"""
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*KeyError: 'body'*", "*ValueError: teardown*"])


def test_skip_and_xfail_keep_their_meaning(run):
    source = """
import pytest, trio

@pytest.mark.simulated
async def test_skips():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)

async def child():
    pytest.skip("not here")

@pytest.mark.simulated
async def test_xfails():
    pytest.xfail("known")

@pytest.mark.simulated
@pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
async def test_expected():
    1 / 0
"""
    run(source).assert_outcomes(skipped=1, xfailed=2)


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ("simulated(20)", "takes keywords only"),
        ("simulated(schedule=20)", "does not know schedule"),
        ("simulated(schedules=0)", "schedules must be an int of at least 1"),
    ],
)
def test_a_wrong_marker_stops_the_run_before_it_starts(run, marker, complaint):
    result = run(f"import pytest\n@pytest.mark.{marker}\nasync def test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_it.py::test_it*{complaint}*"])


def test_an_unusable_tape_stops_the_run_before_it_starts(run):
    result = run(RACE, "--pyvirt-sim-tape", "no-such-file")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--pyvirt-sim-tape: no usable tape*"])


def test_options_reach_the_search_and_the_marker_of_the_module(run):
    source = """
import pytest, trio
from pyvirt_sim.engine import Canonical, current_run
runs = []
seeds = []

def chooser(seed):
    seeds.append(seed)
    return Canonical()

pytestmark = pytest.mark.simulated(policy="batch", schedules=3, chooser=chooser)

@pytest.mark.simulated(timers="choice")
async def test_it():
    runs.append((current_run().start.policy, current_run().start.timers))

def test_runs():
    assert runs == [("batch", "choice")] * 5
    assert seeds == [9]
"""
    options = ["--pyvirt-sim-seed", "9", "--pyvirt-sim-schedules", "5"]
    run(source, *options).assert_outcomes(passed=2)


def test_workers_of_xdist_tell_the_same_story(run):
    alone = run(RACE).stdout.str()
    spread = run(RACE, "-n", "2").stdout.str()
    assert replay_line(alone) == replay_line(spread)


def test_reports_are_written_where_the_command_line_says(run, pytester):
    run(RACE, "--pyvirt-sim-report", "out/all.txt")
    assert "THE ORDER THAT DECIDES" in (pytester.path / "out" / "all.txt").read_text()
    run(None, "--pyvirt-sim-report", "out/pages")
    pages = sorted(path.name for path in (pytester.path / "out" / "pages").iterdir())
    assert pages == ["test_it.py-test_race.html", "test_it.py-test_race.txt"]
    page = (pytester.path / "out" / "pages" / pages[0]).read_text()
    assert "THE ORDER THAT DECIDES" in page
    assert "--pyvirt-sim-tape tape1," in page


def test_a_test_that_is_not_deterministic_is_told_so(run):
    source = """
import pytest, trio
calls = []

@pytest.mark.simulated
async def test_it():
    calls.append(1)
    async with trio.open_nursery() as nursery:
        for _ in range(len(calls)):
            nursery.start_soon(trio.sleep, 0)
    assert len(calls) < 5
"""
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*is not deterministic*"])


PAYS_OUT = """
import pytest, trio
from hypothesis import HealthCheck, given, settings, strategies as st

@pytest.fixture
async def start():
    return 13

class TestBank:
    @pytest.mark.simulated(schedules=50)
    @settings(database=None, deadline=None, derandomize=True, suppress_health_check=HealthCheck)
    @given(amounts=st.lists(st.integers(0, 20), max_size=8))
    async def test_pays_out(self, start, amounts):
        balance = start
        send, receive = trio.open_memory_channel(1)

        async def cashier():
            nonlocal balance
            async for amount in receive:
                if amount <= balance:
                    if amount >= 7:
                        await trio.lowlevel.checkpoint()
                    balance -= amount

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cashier)
            nursery.start_soon(cashier)
            async with send:
                while amounts:  # the workload is this run's own
                    await send.send(amounts.pop(0))
                    for _ in range(4):
                        await trio.lowlevel.checkpoint()
        assert balance >= 0
"""


def test_hypothesis_draws_the_workload_and_both_are_shrunk_and_replayed(run):
    first = run(PAYS_OUT, trio_mode="true")
    first.assert_outcomes(failed=1)
    text = first.stdout.str()
    assert "amounts=[7, 7]" in text
    assert "1 out of turn" in text
    words = shlex.split(replay_line(text))
    assert words[1] == "--pyvirt-sim-example"
    again = run(None, *words, trio_mode="true")
    again.assert_outcomes(failed=1)
    assert "assert -1 >= 0" in again.stdout.str()
    assert replay_line(again.stdout.str()) == replay_line(text)
    without = run(None, words[0], *words[3:], trio_mode="true")
    without.stdout.fnmatch_lines(["*needs --pyvirt-sim-example as well*"])


def test_drawing_while_the_test_runs_is_refused(run):
    source = """
import pytest
from hypothesis import given, strategies as st

@pytest.mark.simulated
@given(st.data())
async def test_it(data):
    data.draw(st.integers())
"""
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a simulated test cannot draw with st.data()*"])


def test_nothing_of_the_simulator_is_loaded_without_the_marker(run):
    source = """
import sys

def test_modules():
    assert "pyvirt_sim_pytest" in sys.modules
    assert "pyvirt_sim" not in sys.modules
"""
    run(source).assert_outcomes(passed=1)
