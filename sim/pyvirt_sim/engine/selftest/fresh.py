"""Fresh processes, two at a time: a new heap, a new hash seed, nothing left from before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import attrs

__all__ = ["JOBS", "Fresh", "python_path", "run_fresh"]

JOBS: Final = 2
# A child that takes longer hangs: the slowest of them takes a few seconds.
PATIENCE_S: Final = 300


@attrs.frozen
class Fresh:
    """A process to start.

    Attributes:
        arguments: of Python: ``-m``, a module, its arguments.
        hash_seed: its ``PYTHONHASHSEED``.
        python: the interpreter; this one if None.
    """

    arguments: Sequence[str]
    hash_seed: int = 0
    python: str | None = None


def python_path() -> str:
    """Return the folder that holds this package, so that a child imports the same code."""
    return str(Path(__file__).resolve().parents[3])


def _environment(hash_seed: int) -> Mapping[str, str]:
    inherited = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(part for part in (python_path(), inherited) if part)
    # A child must not be slowed or changed by what its parent is watched with.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return {**kept, "PYTHONPATH": path, "PYTHONHASHSEED": str(hash_seed)}


def _run(process: Fresh) -> str:
    done = subprocess.run(
        [process.python or sys.executable, *process.arguments],
        env=_environment(process.hash_seed),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-12:])
        raise RuntimeError(
            f"{' '.join(process.arguments)} ended with status {done.returncode}:\n{tail}"
        )
    return done.stdout


def run_fresh(processes: Sequence[Fresh], jobs: int = JOBS) -> list[str]:
    """Run each process to its end and return what they printed, in their order.

    Raises:
        RuntimeError: one of them failed; the message has the end of what it said.
        subprocess.TimeoutExpired: one of them hangs.
    """
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(_run, processes))
