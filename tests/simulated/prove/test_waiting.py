"""What is documented of waiting holds under every schedule."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyvirt_sim.prove.waiting import CASES, Case

PAGE = Path(__file__).parents[3] / "docs/explanation/waiting.md"
SHORT = 60
"""Schedules of a case here: all there are of most; ``pyvirt-sim prove --all`` runs all of each."""
by_name = {case.name: case for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_what_is_documented_holds(case: Case) -> None:
    part = case.prove(SHORT)
    assert part.violation is None
    assert part.is_complete or part.runs == SHORT


def test_the_page_says_what_the_proofs_show() -> None:
    text = " ".join(PAGE.read_text().split())
    for case in CASES:
        assert f"`waiting-{case.name}`" in text
        assert case.promise in text
