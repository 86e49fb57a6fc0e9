"""The page stands alone, escapes what it shows and is the same for the same finding."""

from __future__ import annotations

import re
from typing import Any

import lxml.html
import pytest

from pyvirt_sim.engine.explain import messages_of
from pyvirt_sim.explore import hunt_subject
from pyvirt_sim.report import finding_as_html
from tests.sim.report import toy


@pytest.fixture(scope="module")
def page() -> str:
    finding = hunt_subject(toy.subject(), seed=1, schedules=100).finding
    assert finding is not None
    return finding_as_html(finding)


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    tree: Any = lxml.html.document_fromstring(page)
    attributes = {name for element in tree.iter() for name in element.attrib}
    assert not attributes & {"src", "srcset", "data", "action", "xlink:href"}
    # An empty icon, or the browser would ask for one.
    assert tree.xpath("//@href") == ["data:,"]
    assert not tree.xpath("//iframe | //img | //object")
    assert not re.search(r"https?://|@import|url\((?!#)|fetch\(|XMLHttp|import\(", page)


def test_what_a_program_says_is_shown_and_never_run(page: str) -> None:
    tree: Any = lxml.html.document_fromstring(page)
    text = tree.text_content()
    assert toy.PROMISE in text
    assert "is net0 <b>active</b>?" in text
    assert not tree.xpath("//b | //removed | //toy")


def test_every_line_of_the_schedule_is_a_point_with_its_whole_text(page: str) -> None:
    finding = hunt_subject(toy.subject(), seed=1, schedules=100).finding
    assert finding is not None
    tree: Any = lxml.html.document_fromstring(page)
    titles = [element.text_content() for element in tree.xpath("//svg//g/title")]
    arrows = len(messages_of(finding.run, finding.rows))
    assert finding.explanation.quiet is not None
    arrows += len(messages_of(finding.explanation.quiet, finding.explanation.quiet_rows))
    assert len(tree.xpath("//*[@class='message']")) == arrows > 0
    rows = [*finding.rows, *finding.explanation.quiet_rows]
    assert len(titles) == len(rows)
    for row, title in zip(rows, titles, strict=True):
        assert f"{row.actor}: {row.action}" in title


def test_the_same_finding_gives_the_same_page(page: str) -> None:
    finding = hunt_subject(toy.subject(), seed=1, schedules=100).finding
    assert finding is not None
    assert finding_as_html(finding) == page
