"""``<watchdog>``: a timer that acts when the guest stops feeding it."""

from __future__ import annotations

from pyvirt_trio.models import PciAddress, Watchdog
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader

_MODELS = ("i6300esb", "ib700")
_ACTIONS = ("reset", "shutdown", "poweroff", "pause", "none")


def read_watchdog(reader: Reader) -> Watchdog:
    """A ``Watchdog`` from ``<watchdog>``."""
    return Watchdog(
        model=reader.choice("model", *_MODELS),
        action=reader.choice("action", *_ACTIONS, default="reset"),
    )


def write_watchdog(watchdog: Watchdog) -> Element:
    """The element that ``read_watchdog`` reads."""
    return element("watchdog", {"model": watchdog.model, "action": watchdog.action})


WATCHDOG = DeviceType(
    tag="watchdog",
    model=Watchdog,
    read=read_watchdog,
    write=write_watchdog,
    address=lambda watchdog: PciAddress if watchdog.model == "i6300esb" else None,
)
