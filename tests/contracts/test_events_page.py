"""The page about events is the one the code writes, and every event the driver tells is real."""

from __future__ import annotations

from pathlib import Path

from tests.contracts.events_page import page

PAGE = Path(__file__).parents[2] / "docs/reference/events.md"


def test_page_is_the_one_the_code_writes() -> None:
    assert page() == PAGE.read_text(), "python -m tests.contracts.events_page > the page"


def test_the_events_that_libvirt_s_clients_live_by_are_told() -> None:
    cells = [line.split("|") for line in page().splitlines() if line.startswith("| `")]
    rows = {row[1].strip(" `"): row[5].strip() for row in cells}
    for name in ("DomainStarted", "DomainStopped", "DeviceRemoved", "AgentStateChanged"):
        assert rows[name] == "yes"
