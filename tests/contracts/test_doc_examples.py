"""The code that a reader copies works: such pages and the README are executed, in order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    DOCS / "tutorial" / "first-domain.md",
    DOCS / "how-to" / "talk-to-the-guest.md",
    *sorted((DOCS / "reference").glob("engine-*.md")),
    DOCS / "reference" / "choosers.md",
    ROOT / "README.md",
]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def program_of(page: Path) -> str:
    """Return a page's Python blocks as one program, each on the lines it has on the page."""
    text = page.read_text()
    program = ""
    for block in _BLOCK.finditer(text):
        missing_lines = text.count("\n", 0, block.start(1)) - program.count("\n")
        program += "\n" * missing_lines + block[1]
    return program


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_of_page_runs(page: Path, tmp_path: Path) -> None:
    # A process of its own, in an empty folder, as a reader would run it.
    script = tmp_path / f"{page.stem}.py"
    script.write_text(program_of(page))
    path = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'sim')!r}]"
    run = f"{path}; import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", run],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_tutorial_has_code() -> None:
    # The other page of the tutorial is several files: tests/sim/pytest/test_tutorial.py runs them.
    assert program_of(DOCS / "tutorial" / "first-domain.md")
