"""Virtual processors: the places a machine has for them, and which of these are taken."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import attrs

from pyvirt_trio.models.devices import Device


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Vcpu(Device):
    """A place for a virtual processor. A processor that is plugged in is a device of QEMU's.

    Its alias is ``vcpuN`` while one is there that a running machine can lose again, and ``None``
    otherwise: what a machine is born with stays, and has no name.

    Args:
        id: Number of the place, from 0.
        is_enabled: Whether a processor is there.
        is_hotpluggable: Whether it comes and goes while the machine runs. True of every place
            without a processor.
        order: When it is enabled among the others, from 1; ``None`` means "do not care".
    """

    id: int
    is_enabled: bool = True
    is_hotpluggable: bool = False
    order: int | None = None

    @property
    def is_plugged(self) -> bool:
        """Whether it is, or becomes, a device with a name: one that can be unplugged."""
        return self.is_enabled and self.is_hotpluggable

    @property
    def device_name(self) -> str:
        """What a processor that is plugged in here is called."""
        return f"vcpu{self.id}"

    def named(self) -> Vcpu:
        """This place as it is in a running machine."""
        return attrs.evolve(self, alias=self.device_name if self.is_plugged else None)


@functools.cache
def plain_vcpus(current: int, maximum: int) -> tuple[Vcpu, ...]:
    """``maximum`` places with processors in the first ``current`` of them, which stay there."""
    return tuple(
        Vcpu(id=number, is_enabled=number < current, is_hotpluggable=number >= current)
        for number in range(maximum)
    )


def in_order(vcpus: Iterable[Vcpu]) -> list[Vcpu]:
    """The processors that are there, in the order in which a machine gets them.

    First those it is born with, then the others in their own order; ties go by number.
    """
    there = (vcpu for vcpu in vcpus if vcpu.is_enabled)
    return sorted(there, key=lambda vcpu: (vcpu.is_hotpluggable, vcpu.order or 0, vcpu.id))


def numbered(vcpus: Iterable[Vcpu]) -> tuple[Vcpu, ...]:
    """The places as a running machine has them: named, and with the order of those that are there.

    libvirt reads the order from QEMU's list of processors, where each one that comes is the last.
    """
    places = tuple(vcpus)
    orders = {vcpu.id: order for order, vcpu in enumerate(in_order(places), start=1)}
    return tuple(attrs.evolve(vcpu.named(), order=orders.get(vcpu.id)) for vcpu in places)
