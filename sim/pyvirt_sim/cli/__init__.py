"""The command ``pyvirt-sim``: parse, call, print."""

from __future__ import annotations

import importlib.util
import sys


def main() -> None:
    """Run the command line; ends the process with its exit status."""
    for needed in ("cyclopts", "jinja2"):
        if importlib.util.find_spec(needed) is None:
            sys.exit(f"error: pyvirt-sim needs {needed}; install pyvirt-trio[sim,cli]")
    from pyvirt_sim.cli.app import app

    sys.exit(app(sys.argv[1:]))  # cyclopts 3 returns the status, later ones exit with it
