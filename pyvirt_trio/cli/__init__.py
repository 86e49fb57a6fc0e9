"""The command ``pyvirt``: parse, call, print."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; ends the process with its exit status."""
    try:
        import cyclopts  # noqa: F401 - asked for before anything that needs it
    except ModuleNotFoundError:
        sys.exit("error: pyvirt needs cyclopts; install pyvirt-trio[cli]")
    from pyvirt_trio.cli.app import run

    sys.exit(run())
