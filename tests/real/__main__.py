"""``python -m tests.real``: fetch the real parts this machine can have, say what it lacks."""

from __future__ import annotations

import os
import sys

from pyvirt_sim.conformance.real.agent_guest import build_agent_guest
from pyvirt_sim.conformance.real.guest import build_guest
from pyvirt_sim.conformance.real.nested import build_nested
from pyvirt_sim.conformance.real.packages import RealPartMissingError, install
from tests.real.libvirtd import daemon
from tests.real.libvirtd import packages as libvirt


def main() -> int:
    """Fetch QEMU, both guests and libvirt; return 1 where CI promised one that is missing."""
    try:
        install("qemu-system-x86", program="qemu-system-x86_64")
        if os.environ.get("CI", "") == "true":  # not a thing to put on somebody's machine
            install("chromium", program="chromium")
        guest, nested = build_guest(), build_nested()
        build_agent_guest()
    except RealPartMissingError as error:
        print(f"real parts: {error}; tests that need it will be skipped", file=sys.stderr)
        return _failure()
    print("real parts: QEMU is installed, guests in", guest.kernel.parent, nested.kernel.parent)
    reason = daemon.why_not()
    if reason is not None:
        print(f"real parts: {reason}; tests that need a libvirtd will be skipped", file=sys.stderr)
        return _failure()
    print("real parts: libvirt", libvirt.VERSION, "is unpacked in", libvirt.fetch_libvirt())
    return 0


def _failure() -> int:
    return int(os.environ.get("CI", "") == "true")


if __name__ == "__main__":
    sys.exit(main())
