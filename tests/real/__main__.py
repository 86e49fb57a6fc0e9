"""``python -m tests.real``: fetch the real parts this machine can have, say what it lacks."""

from __future__ import annotations

import os
import sys

from pyvirt_sim.conformance.real.guest import build_guest
from pyvirt_sim.conformance.real.nested import build_nested
from pyvirt_sim.conformance.real.packages import RealPartMissingError, install


def main() -> int:
    """Fetch QEMU and both guests; return 1 when something is missing and CI promised it."""
    try:
        install("qemu-system-x86", program="qemu-system-x86_64")
        if os.environ.get("CI", "") == "true":  # not a thing to put on somebody's machine
            install("chromium", program="chromium")
        guest, nested = build_guest(), build_nested()
    except RealPartMissingError as error:
        print(f"real parts: {error}; tests that need it will be skipped", file=sys.stderr)
        return int(os.environ.get("CI", "") == "true")
    print("real parts: QEMU is installed, guests in", guest.kernel.parent, nested.kernel.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
