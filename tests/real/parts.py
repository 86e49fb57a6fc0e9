"""Which real parts this machine lacks, by the marker of the tests that need them."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping

from tests.real.libvirtd import daemon


def _no_qemu() -> str | None:
    if shutil.which("qemu-system-x86_64") is None:
        return "there is no qemu-system-x86_64: run `make real-parts`"
    return None


def _no_nested_machine() -> str | None:
    return _no_qemu()


@functools.cache
def _no_libvirt() -> str | None:
    return _no_qemu() or daemon.why_not()


def chromium() -> str | None:
    """Where the browser is that looks at reports."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def _no_browser() -> str | None:
    return "there is no chromium" if chromium() is None else None


# Each returns what is missing, or None.
MISSING: Mapping[str, Callable[[], str | None]] = {
    "real_qemu": _no_qemu,
    "real_vfio": _no_nested_machine,
    "real_libvirt": _no_libvirt,
    "real_browser": _no_browser,
}
