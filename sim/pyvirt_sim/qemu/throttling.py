"""Limits on input and output: which combinations QEMU takes (``util/throttle.c``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pyvirt_sim.qemu.errors import QmpError

# The highest average or burst rate.
_MAX_RATE: Final = 1_000_000_000_000_000
_KINDS: Final = ("bps", "iops")
_WAYS: Final = ("total", "read", "write")


def check(limits: Mapping[str, int]) -> None:
    """Check limits as a throttle group takes them: ``bps-total``, ``iops-read-max`` and so on.

    Raises:
        QmpError: They contradict each other.
    """
    for kind in _KINDS:
        for suffix in ("", "-max"):
            total, read, write = (limits.get(f"{kind}-{way}{suffix}", 0) for way in _WAYS)
            if total and (read or write):
                raise QmpError(
                    "bps/iops/max total values and read/write values cannot be used "
                    "at the same time"
                )
    if limits.get("iops-size") and not any(limits.get(f"iops-{way}") for way in _WAYS):
        raise QmpError("iops size requires an iops value to be set")
    for kind in _KINDS:
        for way in _WAYS:
            name = f"{kind}-{way}"
            _check_bucket(
                limits.get(name, 0),
                limits.get(f"{name}-max", 0),
                limits.get(f"{name}-max-length", 1),
            )


def check_drive(arguments: Mapping[str, Any]) -> None:
    """Check limits as ``block_set_io_throttle`` takes them: ``bps``, ``iops_rd_max`` and so on.

    Raises:
        QmpError: They contradict each other.
    """
    check({_newer_name(key): value for key, value in arguments.items() if "ps" in key})


def _newer_name(name: str) -> str:
    kind, *rest = name.split("_")
    if rest == ["size"]:
        return f"{kind}-size"
    way = {"rd": "read", "wr": "write"}.get(rest[0]) if rest else None
    return "-".join((kind, way or "total", *(rest[1:] if way else rest)))


def _check_bucket(average: int, burst: int, length: int) -> None:
    if not (0 <= average <= _MAX_RATE and 0 <= burst <= _MAX_RATE):
        raise QmpError(f"bps/iops/max values must be within [0, {_MAX_RATE}]")
    if not length:
        raise QmpError("the burst length cannot be 0")
    if length > 1 and not burst:
        raise QmpError("burst length set without burst rate")
    if burst and not average:
        raise QmpError("bps_max/iops_max require corresponding bps/iops values")
    if burst and burst < average:
        raise QmpError("bps_max/iops_max cannot be lower than bps/iops")
    if length > 1 and burst > _MAX_RATE // length:
        raise QmpError("burst length too high for this burst rate")
