"""The command ``pyvirt-sim``: parse, call, print."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; ends the process with its exit status."""
    try:
        import cyclopts  # noqa: F401 - asked for before anything that needs it
    except ModuleNotFoundError:
        sys.exit("error: pyvirt-sim needs cyclopts; install pyvirt-trio[sim,cli]")
    from pyvirt_sim.cli.app import app

    app()
