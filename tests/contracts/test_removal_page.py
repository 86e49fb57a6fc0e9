"""The page about removal shows the table that the code goes by."""

from __future__ import annotations

from pathlib import Path

from pyvirt_trio.driver.removal import REMOVAL_TABLE

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "removal.md"


def rows() -> list[str]:
    """One line per row of the table; types with the same steps share a line."""
    types: dict[str, list[str]] = {}
    for kind, row in REMOVAL_TABLE.items():
        types.setdefault(", ".join(step.name for step in row), []).append(f"`{kind.__name__}`")
    return [f"| {', '.join(names)} | {steps} |" for steps, names in types.items()]


def test_the_page_shows_the_table_that_the_code_goes_by() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    begin = lines.index("| device | steps |") + 2
    assert rows() == lines[begin : begin + len(rows())]
    assert lines[begin + len(rows())] == ""
