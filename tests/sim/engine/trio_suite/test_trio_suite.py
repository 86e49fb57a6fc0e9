"""Trio's own tests, collected from the installed Trio, hold under the engine."""

from __future__ import annotations

from pyvirt_sim.engine.selftest.trio_suite import left_out, run_suite, verify_left_out
from pyvirt_sim.engine.selftest.trio_suite.suite import Session, report_of


def test_trios_own_tests_pass_under_the_engine() -> None:
    report = run_suite()
    print("\n".join(report.lines()))
    assert report.failed == {}
    assert report.share >= 0.9
    # Well below today's number: a session that collects nothing must not count as success.
    assert report.passed > 300


def test_every_entry_of_the_list_exists_and_fails() -> None:
    assert verify_left_out() == []


def test_no_test_is_listed_twice() -> None:
    names = [name for entry in left_out.LEFT_OUT for name in entry.names]
    names.extend(left_out.NEED_BATCHES)
    assert len(set(names)) == len(names)
    whole = {name for name in names if "::" not in name}
    assert [name for name in names if "::" in name and name.partition("::")[0] in whole] == []


def test_a_failure_is_reported_and_lowers_the_share() -> None:
    session = Session("all", "any", None)
    good, bad = "_tests/test_sync.py::test_Event", "_tests/test_sync.py::test_Semaphore"
    guest = "_core/_tests/test_guest_mode.py::test_guest_trivial"
    outcomes = {good: "passed", bad: "failed: too late", guest: "not selected"}
    report = report_of([session, session], [outcomes, outcomes])
    assert report.failed == {"policy any, canonical": {bad: "too late"}}
    assert (report.passed, report.failures, report.left_out, report.world) == (1, 1, 1, 0)
    assert report.share == 1 / 3
    assert f"FAILED under policy any, canonical: {bad}: too late" in report.lines()
