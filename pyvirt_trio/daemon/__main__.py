"""``python -m pyvirt_trio.daemon ROOT``: be the keeper of a root."""

from __future__ import annotations

import sys

import trio

from pyvirt_trio.daemon.keeper import keep
from pyvirt_trio.errors import ConflictError


def main() -> int:
    """Keep the root named by the only argument."""
    try:
        trio.run(keep, sys.argv[1])
    except ConflictError:
        return 0  # another keeper was faster; its clients and ours find it
    return 0


if __name__ == "__main__":
    sys.exit(main())
