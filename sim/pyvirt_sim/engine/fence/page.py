"""The page of the documentation that lists the boundary, made from the tables of the code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pyvirt_sim.engine.fence.boundary import REFUSED_CALLS, REFUSED_EVENTS
from pyvirt_sim.engine.fence.clock import SERVED_CLOCKS
from pyvirt_sim.engine.fence.entropy import SEEDS, SERVED_CHANCE

__all__ = ["UNFENCED", "boundary_page"]

# What a program can still see of the world, and what to do about it.
UNFENCED: Final = (
    ("`from time import time`, `from random import random` before the run", "found by the proof"),
    ("order of sets of strings, `hash()` of a string", "found by the proof (hash seed)"),
    ("order of sets of objects, `id()`", "found by the proof (memory)"),
    ("local time zone", "found by the proof (another zone)"),
    ("state kept in modules, caches and classes between runs", "found by the proof"),
    ("reading files, directories and environment variables", "the same on one machine"),
    ("`os.getpid`, `os.cpu_count`, locale", "pass them in"),
    ("entropy and clocks in C libraries: OpenSSL's keys, NumPy's generators", "seed or replace"),
    ("threads that race over memory between two pauses", "not looked for"),
    ("waiting in a task with `threading.Lock` or `queue.Queue`", "hangs, as it does in Trio"),
)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [_row(heads), _row("---" for _ in heads), *(_row(row) for row in rows), ""]


def boundary_page() -> str:
    """Return the text of ``docs/reference/boundary.md``."""
    refused = {(row.what, row.instead) for row in (REFUSED_EVENTS | REFUSED_CALLS).values()}
    served = [
        *((f"`{name}`", "virtual time") for name in SERVED_CLOCKS),
        *((f"`{name}`", "the tape") for name in SERVED_CHANCE),
    ]
    lines = [
        "# The boundary of the simulation",
        "",
        "Made by `python -m pyvirt_sim.engine.fence` from the tables that the engine itself uses.",
        "",
        "## Refused",
        "",
        "These raise `EscapeError` with the line of the program and this advice. The run fails",
        "even if the program swallows that. `allow_escape(reason)` lets one task through.",
        "",
        *_table(("call", "instead"), ((f"`{what}`", text) for what, text in sorted(refused))),
        "## Served",
        "",
        f"Chance comes from one draw of the stream `entropy`: a seed below {SEEDS}, 0 canonically.",
        "",
        *_table(("name", "comes from"), served),
        "## Not fenced",
        "",
        *_table(("what", "how to notice, or what to do"), UNFENCED),
    ]
    return "\n".join(lines)
