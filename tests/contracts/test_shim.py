"""The pytest entry point costs a user's test run nothing until it is used."""

from __future__ import annotations

import subprocess
import sys


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules a fresh interpreter holds after a statement."""
    program = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_shim_imports_only_pytest() -> None:
    loaded = modules_after("import pyvirt_sim_pytest")
    assert {"pytest", "pyvirt_sim_pytest"} <= loaded
    assert not loaded & {"trio", "attrs", "hypothesis", "pyvirt_trio", "pyvirt_sim"}
