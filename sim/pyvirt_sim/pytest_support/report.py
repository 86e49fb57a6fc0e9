"""``--pyvirt-sim-report``: each explanation in a file of its own, for a CI job to keep."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

__all__ = ["write_report"]


def write_report(config: pytest.Config, nodeid: str, text: str) -> None:
    """Write the explanation of one failure to where the command line says, if it does.

    A folder gets one file for each failing test. A file gets the last failure.
    """
    target = config.getoption("--pyvirt-sim-report")
    if target is None:
        return
    path = Path(config.invocation_params.dir, target)
    if path.suffix not in (".txt", ".html"):
        path.mkdir(parents=True, exist_ok=True)
        path = path / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', nodeid)}.txt"
    path.write_text(f"{nodeid}\n{text}", encoding="utf-8")
