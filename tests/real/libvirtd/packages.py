"""libvirt of Debian 12 and its Python client, unpacked below the cache and never installed."""

from __future__ import annotations

import os
from pathlib import Path

from pyvirt_sim.conformance.real import packages

VERSION = "9.0.0"
"""What the comparisons are about. Another release words its refusals differently."""

WANTED = ("libvirt-daemon", "libvirt-daemon-driver-qemu", "libvirt0", "python3-libvirt")

_ASKED_FOR = "PYVIRT_REAL_LIBVIRT"


def is_asked_for() -> bool:
    """Whether libvirt may be downloaded: under CI, and where the user says so."""
    return any(os.environ.get(name, "").lower() in ("1", "true") for name in ("CI", _ASKED_FOR))


def fetch_libvirt() -> Path:
    """Return the root of the unpacked packages, downloading them unless the cache has them.

    Raises:
        RealPartMissingError: They are not in the cache, and were not asked for or cannot be had.
    """
    return packages.cached("libvirt", repr((VERSION, WANTED)), _build)


def _build(result: Path) -> None:
    if not is_asked_for():
        raise packages.RealPartMissingError(
            f"libvirt is only downloaded when {_ASKED_FOR}=1 or CI=true says so"
        )
    packages.unpack_missing(WANTED, result)
    if not list(result.glob(f"usr/lib/*/libvirt.so.0.{_library_version()}")):
        raise packages.RealPartMissingError(f"apt has another libvirt than {VERSION}")


def _library_version() -> str:
    major, minor, micro = VERSION.split(".")
    return f"{int(major) * 1000 + int(minor)}.{micro}"
