"""How much a guest may read and write of a disk in a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.value import Value

MAX_RATE: Final = 10**15
"""QEMU's largest number of bytes or operations a second (``THROTTLE_VALUE_MAX``)."""

RATES: Final = tuple(
    f"{who}_{what}_sec" for what in ("bytes", "iops") for who in ("total", "read", "write")
)
"""The six limits; each may have a higher one for bursts (``..._max``), and the longest time of such
a burst in seconds (``..._max_length``)."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class IoTune(Value):
    """The limits of one disk, by libvirt's names; 0 is no limit.

    Args:
        size_iops_sec: Up to so many bytes count as one operation; larger requests as several.
        group_name: Disks of a domain with the same one share the limits.
    """

    total_bytes_sec: int = 0
    read_bytes_sec: int = 0
    write_bytes_sec: int = 0
    total_iops_sec: int = 0
    read_iops_sec: int = 0
    write_iops_sec: int = 0
    total_bytes_sec_max: int = 0
    read_bytes_sec_max: int = 0
    write_bytes_sec_max: int = 0
    total_iops_sec_max: int = 0
    read_iops_sec_max: int = 0
    write_iops_sec_max: int = 0
    size_iops_sec: int = 0
    group_name: str = ""
    total_bytes_sec_max_length: int = 0
    read_bytes_sec_max_length: int = 0
    write_bytes_sec_max_length: int = 0
    total_iops_sec_max_length: int = 0
    read_iops_sec_max_length: int = 0
    write_iops_sec_max_length: int = 0

    def changed(self, changes: Mapping[str, int | str]) -> IoTune:
        """The limits after ``changes``, of which each family is set as a whole.

        Whoever sets one of the limits of bytes takes the others away, unless they are set too; the
        same for operations, and for each of the two in bursts (``qemuDomainSetBlockIoTune``).

        Raises:
            DefinitionError: There is no such limit, or it is no number that QEMU takes, or what
                results makes no sense.
        """
        _require_known(changes)
        values: dict[str, int | str] = attrs.asdict(self)
        for family in FAMILIES:
            if family & changes.keys():
                values |= dict.fromkeys(family, 0)
        values |= changes
        for rate in RATES:
            length = f"{rate}_max_length"
            if changes.get(length) == 0 and (values[rate] or values[f"{rate}_max"]):
                values[length] = min(getattr(self, length), 1)  # QEMU's word for "as short as can"
        tune = IoTune(**values)  # type: ignore[arg-type]  # by `_require_known`
        tune.require_sense()
        return tune

    def require_sense(self) -> None:
        """Refuse what QEMU would not take.

        Raises:
            DefinitionError: It contradicts itself.
        """
        for family in FAMILIES:
            if self._mixes(family):
                what = next(iter(family)).partition("_")[2]
                raise DefinitionError(
                    f"total and read/write of {what} cannot be set at the same time",
                    code=ErrorCode.INVALID_ARG,
                )
        for rate in RATES:
            self._require_burst(rate, getattr(self, rate), getattr(self, f"{rate}_max"))
        if self.size_iops_sec and not any(getattr(self, rate) for rate in RATES[3:]):
            raise _unsupported("iops size requires an iops value to be set")

    def _mixes(self, family: frozenset[str]) -> bool:
        total = [name for name in family if name.startswith("total")]
        return any(getattr(self, name) for name in total) and any(
            getattr(self, name) for name in family.difference(total)
        )

    def _require_burst(self, name: str, rate: int, burst: int) -> None:
        length: int = getattr(self, f"{name}_max_length")
        if burst and not rate:
            raise _unsupported(f"cannot reset '{name}' when '{name}_max' is set")
        if burst and burst < rate:
            raise _unsupported(f"value '{name}_max' cannot be smaller than '{name}'")
        if length > 1 and not burst:
            raise _unsupported(f"'{name}_max_length' needs '{name}_max'")
        if length * burst > MAX_RATE:
            raise _unsupported(f"'{name}_max_length' is too long for '{name}_max'")


FAMILIES: Final = tuple(
    frozenset(f"{who}_{what}_sec{burst}" for who in ("total", "read", "write"))
    for what in ("bytes", "iops")
    for burst in ("", "_max")
)


def _require_known(changes: Mapping[str, int | str]) -> None:
    known = attrs.fields_dict(IoTune)
    for name, value in changes.items():
        if name not in known:
            raise DefinitionError(
                f"there is no limit '{name[:40]}' for a disk", code=ErrorCode.INVALID_ARG
            )
        is_name = name == "group_name"
        if is_name and not isinstance(value, str):
            raise DefinitionError("a group's name is a text", code=ErrorCode.INVALID_ARG)
        if not is_name and (type(value) is not int or value < 0):
            raise DefinitionError(
                f"block I/O throttle limit '{name}' must be a number from 0 to {MAX_RATE}",
                code=ErrorCode.INVALID_ARG,
            )
        if type(value) is int and value > MAX_RATE:
            raise DefinitionError(
                f"block I/O throttle limit value must be no more than {MAX_RATE}",
                code=ErrorCode.ARGUMENT_UNSUPPORTED,
            )


def _unsupported(message: str) -> DefinitionError:
    return DefinitionError(message, code=ErrorCode.CONFIG_UNSUPPORTED)
