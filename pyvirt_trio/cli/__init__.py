"""The command ``pyvirt``: parse, call, print."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line; ends the process with its exit status."""
    if find_spec("cyclopts") is None:
        sys.exit("error: pyvirt needs cyclopts; install pyvirt-trio[cli]")
    from pyvirt_trio.cli.app import run

    sys.exit(run())
