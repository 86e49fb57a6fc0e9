"""The documentation lists the boundary that the engine enforces, row by row."""

from __future__ import annotations

from pathlib import Path

from pyvirt_sim.engine.fence.page import boundary_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "boundary.md"


def test_the_page_says_what_the_tables_of_the_engine_say():
    assert boundary_page() == PAGE.read_text(), "run python -m pyvirt_sim.engine.fence"
