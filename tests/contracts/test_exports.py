"""What `pyvirt_trio` offers: few names, each said to be exported, and nothing heavy behind them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pyvirt_trio

MAX_PUBLIC_NAMES = 60


def declared() -> list[str]:
    """Return the names that the package's file re-exports as ``X as X``."""
    tree = ast.parse(Path(pyvirt_trio.__file__).read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    aliases = [alias for node in imports for alias in node.names]
    return [alias.name for alias in aliases if alias.name == alias.asname]


def test_every_public_name_is_declared() -> None:
    public = {
        name
        for name, value in vars(pyvirt_trio).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public - {"annotations"} == set(declared())


def test_public_names_are_few_and_listed_once() -> None:
    assert 0 < len(declared()) <= MAX_PUBLIC_NAMES
    assert len(declared()) == len(set(declared()))


def test_library_loads_without_its_simulator_or_command_line() -> None:
    program = "import sys, pyvirt_trio; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert "trio" in loaded
    assert not loaded & {"pyvirt_sim", "hypothesis", "pytest", "cyclopts", "rich", "jinja2"}
