"""``--pyvirt-sim-report``: explanations in files, for a CI job to keep."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["check_report_option", "write_report"]

_SUFFIXES = (".txt", ".html")


def check_report_option(config: pytest.Config) -> None:
    """Refuse a report that could not be written when it is wanted.

    Raises:
        UsageError: it is to be a page, and jinja2 is not installed.
    """
    target = config.getoption("--pyvirt-sim-report")
    if target is not None and not target.endswith(".txt"):
        try:
            import jinja2 as _  # noqa: F401
        except ModuleNotFoundError:
            raise pytest.UsageError(
                "--pyvirt-sim-report: pages need jinja2; install pyvirt-trio[sim], or name a .txt"
            ) from None


def write_report(
    config: pytest.Config, nodeid: str, text: str, page: Callable[[], str] | None
) -> None:
    """Write what is known of one failure to where the command line says, if it does.

    A folder gets two files for each failing test, its text and its page. A file gets the texts of
    all failures of this process one after the other, or the page of the last.

    Args:
        config: of the running pytest.
        nodeid: the test that failed.
        text: the one screen.
        page: makes the HTML page; None if there is none.
    """
    target = config.getoption("--pyvirt-sim-report")
    if target is None:
        return
    path = Path(config.invocation_params.dir, target)
    if path.suffix not in _SUFFIXES:
        path.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", nodeid)
        (path / f"{name}.txt").write_text(text, encoding="utf-8")
        if page is not None:
            (path / f"{name}.html").write_text(page(), encoding="utf-8")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".html":
        if page is not None:
            path.write_text(page(), encoding="utf-8")
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{nodeid}\n{text}\n")
