"""The page in a real browser: what a reader sees, how it answers, and that it asks nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyvirt_sim.explore import hunt_subject, subject_named
from pyvirt_sim.explore.finding import Finding
from pyvirt_sim.report import write_report
from tests.real import parts

MUTANTS = (
    "hostdev-removed-before-active-cleared",
    "detach-timeout-swallows-deleted-event",
    "old-snapshot-overwrites-event",
)
ARTEFACTS = Path(os.environ.get("PYVIRT_ARTEFACTS", ".artefacts"))
"""Where screenshots are kept, for people and for CI; outside git."""

pytestmark = pytest.mark.real_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=parts.chromium(),
            args=["--no-sandbox"],  # root has none, and the page is ours
        )
        yield opened
        opened.close()


@pytest.fixture(params=MUTANTS, scope="module")
def finding(request: pytest.FixtureRequest) -> Finding:
    found = hunt_subject(subject_named(request.param), seed=1).finding
    assert found is not None
    return found


@pytest.fixture
def opened(browser: Any, finding: Finding, tmp_path: Path) -> Iterator[tuple[Any, list[str]]]:
    """The page of the finding, and everything that it asked for or complained about."""
    path = tmp_path / "timeline.html"
    write_report(finding, path)
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    said: list[str] = []
    page.on("console", lambda message: said.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: said.append(request.url))
    page.goto(path.as_uri())
    said.remove(path.as_uri())
    yield page, said
    page.close()


def test_lanes_the_broken_promise_and_the_marked_steps_are_visible(
    opened: tuple[Any, list[str]], finding: Finding
) -> None:
    page, said = opened
    assert finding.promise is not None
    assert page.get_by_text(f"Broken promise: {finding.promise.promise}").is_visible()
    fails = page.locator("section.fails")
    for actor in dict.fromkeys(row.actor for row in finding.rows):
        assert fails.locator("text.lane", has_text=actor[:17]).first.is_visible()
    decisions = sum(row.is_decision and not row.is_fault for row in finding.rows)
    assert fails.locator(".row.decision").count() == decisions
    assert fails.locator(".row.broken-row").first.is_visible()
    assert fails.locator(".message").first.is_visible()
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{finding.subject.name}.png", full_page=True)
    assert said == []


def test_stepping_tells_each_line_and_its_like_in_the_passing_run(
    opened: tuple[Any, list[str]], finding: Finding
) -> None:
    page, said = opened
    for row in finding.rows[:3]:
        page.keyboard.press("j")
        assert row.action in page.inner_text("#details")
        assert page.locator(".passes .alike").count() == (0 if row.is_different else 1)
    page.keyboard.press("m")
    assert page.locator(".fails .chosen:not(.same)").count() == 1
    page.keyboard.press("k")
    page.locator(".fails .row").last.click()
    assert finding.rows[-1].action in page.inner_text("#details")
    assert said == []


def test_a_filter_dims_what_is_not_asked_for(
    opened: tuple[Any, list[str]], finding: Finding
) -> None:
    page, said = opened
    rows = finding.rows
    page.get_by_role("searchbox").fill(rows[0].action)
    wanted = [row for row in rows if rows[0].action.lower() in row.action.lower()]
    assert page.locator(".fails .row:not(.off)").count() == len(wanted)
    page.get_by_role("searchbox").fill("")
    assert page.locator(".fails .row:not(.off)").count() == len(rows)
    page.get_by_label(rows[0].actor, exact=True).uncheck()
    others = [row for row in rows if row.actor != rows[0].actor]
    assert page.locator(".fails .row:not(.off)").count() == len(others)
    assert said == []
