"""The page about known bugs names what there is, and leaves none out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pyvirt_sim.prove.registry import proof_names
from tests.contracts.bugs_page import NUMBERS, WHERE, KnownBug, known_bugs, page

ROOT = Path(__file__).parents[2]
BUGS = known_bugs()


def test_the_page_is_the_one_that_is_written() -> None:
    written = (ROOT / "docs" / "reference" / "bugs.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m tests.contracts.bugs_page > docs/reference/bugs.md"


def test_every_number_has_an_entry() -> None:
    assert [bug.number for bug in BUGS] == list(NUMBERS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: str(bug.number))
def test_what_would_find_a_bug_is_there(bug: KnownBug) -> None:
    assert bug.where in WHERE
    assert bug.mutants or bug.found, "nothing would find it"
    assert [one for one in bug.found if not _is_there(one)] == []


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.is_met], ids=lambda bug: bug.name)
def test_a_bug_that_was_met_has_left_a_test(bug: KnownBug) -> None:
    assert any(one.startswith("tests/regressions/") for one in bug.found)


def _is_there(finder: str) -> bool:
    if finder.startswith("prove:"):
        return finder.removeprefix("prove:") in proof_names()
    path, _, name = finder.partition("::")
    if not name:
        return (ROOT / path).exists()
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, kinds) and node.name == name for node in ast.walk(tree))
