"""``python -m tests.real``: fetch the real parts this machine can have, say what it lacks."""

from __future__ import annotations

import os
import sys

from tests.real.guest import build_guest
from tests.real.packages import RealPartMissingError, install


def main() -> int:
    """Fetch QEMU and the guest; return 1 when something is missing and CI promised it."""
    try:
        install("qemu-system-x86", program="qemu-system-x86_64")
        guest = build_guest()
    except RealPartMissingError as error:
        print(f"real parts: {error}; tests that need it will be skipped", file=sys.stderr)
        return int(os.environ.get("CI", "") == "true")
    print(f"real parts: QEMU is installed, guest in {guest.kernel.parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
