"""Reports in files, each kind by the end of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pyvirt_sim.explore.finding import Finding
from pyvirt_sim.report.exports import as_json_lines, as_perfetto, as_shiviz
from pyvirt_sim.report.html import finding_as_html
from pyvirt_sim.report.text import finding_as_text

KINDS: Final[Mapping[str, Callable[[Finding], str]]] = MappingProxyType(
    {
        ".txt": finding_as_text,
        ".html": finding_as_html,
        ".perfetto.json": lambda one: as_perfetto(one.run, one.rows),
        ".shiviz.log": lambda one: as_shiviz(one.run, one.rows),
        ".jsonl": lambda one: as_json_lines(one.run, one.rows),
    }
)
"""By the end of a file's name, what is written there."""


def check_report_name(path: Path) -> str:
    """The kind of report that ``path`` asks for.

    Raises:
        ValueError: Its end is none of `KINDS`.
    """
    for end in KINDS:
        if path.name.endswith(end):
            return end
    raise ValueError(f"{path}: a report's name ends in {', '.join(KINDS)}")


def write_report(finding: Finding, path: Path) -> None:
    """Write what is known of ``finding`` to ``path``, in the form that its name asks for.

    Raises:
        ValueError: Its end is none of `KINDS`.
        OSError: It cannot be written.
    """
    text = KINDS[check_report_name(path)](finding)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
