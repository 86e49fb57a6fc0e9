"""What the pages promise of waiting and of the guest's agent holds, and is what is proved."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyvirt_sim.prove import agent, waiting

PAGES = Path(__file__).parents[3] / "docs/explanation"
SHORT = {"waiting": 60, "agent": 20}
"""Schedules of a case here: all there are of most; ``pyvirt-sim prove --all`` runs all of each."""
CASES = [
    *(pytest.param("waiting", case, id=f"waiting-{case.name}") for case in waiting.CASES),
    *(pytest.param("agent", case, id=f"agent-{case.name}") for case in agent.CASES),
]


@pytest.mark.parametrize(("family", "case"), CASES)
def test_what_is_promised_holds(family: str, case: waiting.Case | agent.Case) -> None:
    part = case.prove(SHORT[family])
    assert part.violation is None
    assert part.is_complete or part.runs == SHORT[family]


@pytest.mark.parametrize(("family", "case"), CASES)
def test_the_page_says_what_the_proof_shows(family: str, case: waiting.Case | agent.Case) -> None:
    page = PAGES / {"waiting": "waiting.md", "agent": "proofs.md"}[family]
    text = " ".join(page.read_text().split())
    assert f"`{family}-{case.name}`" in text
    assert case.promise in text
