"""Sizes and habits of source and tests: small, documented, and nobody's paths."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("pyvirt_trio/**/*.py"), *ROOT.glob("sim/**/*.py")])
TESTS = sorted(ROOT.glob("tests/**/*.py"))
TEXTS = sorted(
    path
    for top in ("pyvirt_trio", "sim", "tests", "docs")
    for path in (ROOT / top).rglob("*")
    if path.suffix in {".py", ".md", ".rst", ".sh", ".xml"}
)
MAX_MODULE_LINES = 600
MAX_FUNCTION_LINES = 70
# Folders of somebody's machine, written so that this file does not name one.
PRIVATE_PATH = re.compile(r"(?<![\w.])/(?:ro{2}t|wor[k]|hom[e]/\w+|User[s]/\w+)/")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def long_functions(source: str) -> list[str]:
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, Function)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]


def undocumented(source: str) -> list[str]:
    """Return the public functions and classes at the top of a module that lack a docstring."""
    return [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, Function | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]


def test_sources_are_found() -> None:
    assert len(SOURCES) > 50
    assert len(TESTS) > 50


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_module_is_small(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= MAX_MODULE_LINES
    assert long_functions(source) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module_is_documented(path: Path) -> None:
    assert undocumented(path.read_text()) == []


def test_no_file_names_a_private_path() -> None:
    found = [name_of(path) for path in TEXTS if PRIVATE_PATH.search(path.read_text())]
    assert found == []


def test_the_checks_see_what_they_look_for() -> None:
    body = "\n".join(["    pass"] * MAX_FUNCTION_LINES)
    assert long_functions(f"def f():\n{body}") == ["f"]
    assert undocumented("def f(): ...\ndef _g(): ...") == ["f"]
    assert PRIVATE_PATH.search("see /" + "root/x")
    assert not PRIVATE_PATH.search("/sys/" + "work" + "/x and a.root/b")
