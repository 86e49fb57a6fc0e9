"""For programs that move PCI devices: they run in the nested machine and nowhere else.

Standard library only: imports are slow inside.
"""

from __future__ import annotations

import sys
from pathlib import Path

MARK = "pyvirt.nested"
"""On the kernel's command line of the nested machine; the kernel ignores it."""


def require_nested() -> None:
    """End the program unless it runs in the nested machine."""
    try:
        words = Path("/proc/cmdline").read_text(encoding="utf-8").split()
    except OSError:
        words = []
    if MARK not in words:
        sys.exit("error: this moves PCI devices and runs only in the nested machine")
