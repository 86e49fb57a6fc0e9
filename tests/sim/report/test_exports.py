"""Exports keep every line, its order and who led to whom; the tools' own rules are checked."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from pyvirt_sim.engine.explain import messages_of
from pyvirt_sim.explore import hunt_subject
from pyvirt_sim.explore.finding import Finding
from pyvirt_sim.report import (
    as_json_lines,
    as_perfetto,
    as_shiviz,
    check_report_name,
    finding_as_html,
    finding_as_text,
    write_report,
)
from tests.sim.report import toy


@pytest.fixture(scope="module")
def finding() -> Finding:
    found = hunt_subject(toy.subject(), seed=1, schedules=100).finding
    assert found is not None
    return found


def test_a_message_joins_two_actors_and_goes_forward(finding: Finding) -> None:
    messages = messages_of(finding.run, finding.rows)
    assert messages
    for one in messages:
        assert one.sent < one.received
        assert finding.rows[one.sent].actor != finding.rows[one.received].actor
    pairs = [(finding.rows[one.sent].action, finding.rows[one.received].action) for one in messages]
    assert ("announces", "hears of it event=removed") in pairs


def test_json_lines_have_all_of_every_line(finding: Finding) -> None:
    lines = [json.loads(line) for line in as_json_lines(finding.run, finding.rows).splitlines()]
    assert [(one["step"], one["actor"], one["action"]) for one in lines] == [
        (row.step, row.actor, row.action) for row in finding.rows
    ]
    sent = {one.received: one.sent for one in messages_of(finding.run, finding.rows)}
    assert {one["line"]: one["follows"] for one in lines if one["follows"] is not None} == sent


def test_perfetto_gets_a_slice_for_each_line_and_both_ends_of_each_message(
    finding: Finding,
) -> None:
    events = json.loads(as_perfetto(finding.run, finding.rows))["traceEvents"]
    names = {one["tid"]: one["args"]["name"] for one in events if one["ph"] == "M"}
    slices = [one for one in events if one["ph"] == "X"]
    assert [(names[one["tid"]], one["name"]) for one in slices] == [
        (row.actor, row.action) for row in finding.rows
    ]
    assert all(a["ts"] < b["ts"] for a, b in pairwise(slices))
    starts = {one["id"]: one for one in events if one["ph"] == "s"}
    ends = {one["id"]: one for one in events if one["ph"] == "f"}
    assert starts.keys() == ends.keys()
    for number, start in starts.items():
        assert start["ts"] < ends[number]["ts"]
        assert start["tid"] != ends[number]["tid"]


def test_shiviz_gets_vector_clocks_that_agree_with_the_messages(finding: Finding) -> None:
    text = as_shiviz(finding.run, finding.rows)
    pattern = re.compile(r"(?P<host>\S*) (?P<clock>{.*})\n(?P<event>.*)\n")
    events = [one.groupdict() for one in pattern.finditer(text)]
    assert "".join(f"{e['host']} {e['clock']}\n{e['event']}\n" for e in events) == text
    assert len(events) == len(finding.rows)
    clocks = [json.loads(one["clock"]) for one in events]
    counts: dict[str, int] = {}
    for event, clock in zip(events, clocks, strict=True):
        counts[event["host"]] = counts.get(event["host"], 0) + 1
        assert clock[event["host"]] == counts[event["host"]]
    for one in messages_of(finding.run, finding.rows):
        sent, received = clocks[one.sent], clocks[one.received]
        assert all(received.get(host, 0) >= count for host, count in sent.items())


def test_the_end_of_a_name_says_what_is_written(finding: Finding, tmp_path: Path) -> None:
    wanted = {
        "a.txt": finding_as_text(finding),
        "a.html": finding_as_html(finding),
        "a.perfetto.json": as_perfetto(finding.run, finding.rows),
        "a.shiviz.log": as_shiviz(finding.run, finding.rows),
        "a.jsonl": as_json_lines(finding.run, finding.rows),
    }
    for name, text in wanted.items():
        write_report(finding, tmp_path / "new" / name)
        assert (tmp_path / "new" / name).read_text() == text


@pytest.mark.parametrize("name", ["a.pdf", "html", "a.json", ""])
def test_any_other_name_is_refused_before_anything_is_written(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape("a report's name ends in .txt, .html")):
        check_report_name(Path(name))
