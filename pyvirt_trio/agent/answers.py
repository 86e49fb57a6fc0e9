"""What a guest's agent answers, read into values: pure, and nothing of it believed.

The guest decides what it says. What makes no sense is refused with `GuestError`, in one place.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pyvirt_trio.errors import DefinitionError, ErrorCode, GuestError
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.agent import (
    GuestDisk,
    GuestDiskPlace,
    GuestExecResult,
    GuestFileSystem,
    GuestInterface,
    GuestIpAddress,
    GuestTimezone,
    GuestTrim,
    GuestUser,
    GuestVcpu,
)

Value = TypeVar("Value")
Json = Mapping[str, Any]

_OS_KEYS = (
    *("id", "name", "pretty-name", "version", "version-id", "machine", "variant", "variant-id"),
    *("kernel-release", "kernel-version"),
)
"""In libvirt's order."""


def understood(command: str, answer: Any, read: Callable[[Any], Value]) -> Value:
    """What ``read`` makes of an answer.

    Raises:
        GuestError: It is not what the command answers (``INTERNAL_ERROR``).
    """
    try:
        return read(answer)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise GuestError(
            f"guest agent returned malformed or invalid return value of '{command}': {error!r}",
            code=ErrorCode.INTERNAL_ERROR,
        ) from error


def read_count(answer: Any) -> int:
    """A number, such as of file systems."""
    if type(answer) is not int:
        raise TypeError(f"{answer!r} is no number")
    return answer


def read_nothing(answer: Any) -> None:
    """An answer that only says that it is done."""
    if not isinstance(answer, Mapping):
        raise TypeError(f"{answer!r} is no object")


def read_pid(answer: Json) -> int:
    """``guest-exec``."""
    return read_count(answer["pid"])


def read_end(status: Json) -> GuestExecResult | None:
    """``guest-exec-status``; ``None`` while the program runs."""
    if not status["exited"]:
        return None
    return GuestExecResult(
        exit_code=status.get("exitcode"),
        signal=status.get("signal"),
        stdout=base64.b64decode(status.get("out-data", ""), validate=True),
        stderr=base64.b64decode(status.get("err-data", ""), validate=True),
        is_truncated=bool(status.get("out-truncated") or status.get("err-truncated")),
    )


def read_trims(answer: Json) -> tuple[GuestTrim, ...]:
    """``guest-fstrim``."""
    return tuple(
        GuestTrim(_text(one["path"]), one.get("trimmed"), one.get("error"))
        for one in answer["paths"]
    )


def read_interfaces(answer: Iterable[Json]) -> tuple[GuestInterface, ...]:
    """``guest-network-get-interfaces``."""
    return tuple(
        GuestInterface(
            _text(one["name"]),
            one.get("hardware-address"),
            tuple(
                GuestIpAddress(ip["ip-address-type"], ip["ip-address"], read_count(ip["prefix"]))
                for ip in one.get("ip-addresses", ())
            ),
        )
        for one in answer
    )


def read_os_info(answer: Json) -> dict[str, str]:
    """``guest-get-osinfo``; what else a newer agent says comes last."""
    keys = [key for key in _OS_KEYS if key in answer]
    keys += [key for key in answer if key not in _OS_KEYS]
    return {key: _text(answer[key]) for key in keys}


def read_hostname(answer: Json) -> str:
    """``guest-get-host-name``."""
    return _text(answer["host-name"])


def read_users(answer: Iterable[Json]) -> tuple[GuestUser, ...]:
    """``guest-get-users``."""
    return tuple(
        GuestUser(_text(one["user"]), one.get("domain"), float(one["login-time"])) for one in answer
    )


def read_timezone(answer: Json) -> GuestTimezone:
    """``guest-get-timezone``."""
    return GuestTimezone(answer.get("zone"), read_count(answer["offset"]))


def read_vcpus(answer: Iterable[Json]) -> tuple[GuestVcpu, ...]:
    """``guest-get-vcpus``, by number."""
    found = [
        GuestVcpu(
            read_count(one["logical-id"]), bool(one["online"]), bool(one.get("can-offline", False))
        )
        for one in answer
    ]
    return tuple(sorted(found, key=lambda vcpu: vcpu.number))


def read_file_systems(answer: Iterable[Json]) -> tuple[GuestFileSystem, ...]:
    """``guest-get-fsinfo``."""
    return tuple(
        GuestFileSystem(
            mount_point=_text(one["mountpoint"]),
            name=_text(one["name"]),
            kind=_text(one["type"]),
            total_bytes=one.get("total-bytes"),
            used_bytes=one.get("used-bytes"),
            disks=tuple(_place(disk) for disk in one["disk"]),
        )
        for one in answer
    )


def read_disks(answer: Iterable[Json]) -> tuple[GuestDisk, ...]:
    """``guest-get-disks``."""
    return tuple(
        GuestDisk(
            name=_text(one["name"]),
            is_partition=bool(one["partition"]),
            dependencies=tuple(_text(name) for name in one.get("dependencies", ())),
            place=_place(one["address"]) if "address" in one else None,
            alias=one.get("alias"),
        )
        for one in answer
    )


def read_keys(answer: Json) -> tuple[str, ...]:
    """``guest-ssh-get-authorized-keys``."""
    return tuple(_text(key) for key in answer["keys"])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _place(disk: Json) -> GuestDiskPlace:
    return GuestDiskPlace(
        bus_type=_text(disk["bus-type"]),
        pci=_pci(disk["pci-controller"]),
        bus=read_count(disk["bus"]),
        target=read_count(disk["target"]),
        unit=read_count(disk["unit"]),
        device=disk.get("dev"),
        serial=disk.get("serial"),
    )


def _pci(found: Json) -> PciAddress | None:
    """An agent that does not know says -1."""
    numbers = [read_count(found[part]) for part in ("domain", "bus", "slot", "function")]
    try:
        return PciAddress(*numbers)
    except DefinitionError:
        return None
