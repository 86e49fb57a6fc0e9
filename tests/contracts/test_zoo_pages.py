"""The pages about the zoo and its checkers say what the code does today."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

from pyvirt_sim import checkers
from pyvirt_sim.zoo.page import page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
CORE = {"trace", "promise", "logs", "observer", "verdict"}
"""What is no word and no promise, and is told of in the text."""


def test_the_page_about_the_zoo_is_the_one_the_mutants_write() -> None:
    written = (REFERENCE / "zoo.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m pyvirt_sim.zoo.page > docs/reference/zoo.md"


def test_every_checker_is_on_the_page() -> None:
    text = (REFERENCE / "checkers.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
    modules = {info.name for info in pkgutil.iter_modules(checkers.__path__)}
    assert modules - CORE == listed - {"DELIVERED", "SEEN", "DID"}
