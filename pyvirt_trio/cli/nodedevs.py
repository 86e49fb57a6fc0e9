"""Commands for devices of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt_trio.cli.session import Hidden


def nodedev_list(*, session: Hidden) -> None:
    """List the host's PCI devices, their drivers, and which are active or inactive."""

    def table(answer: list[dict[str, Any]]) -> str:
        return "\n".join(
            f"{one['name']:22} {one['driver'] or '-':16} {one['list'] or ''}".rstrip()
            for one in answer
        )

    session.call(table, "nodedev-list")


def nodedev_dumpxml(device: str, *, session: Hidden) -> None:
    """Print a device of the host as XML."""
    session.call(str.rstrip, "nodedev-dumpxml", device=device)


def nodedev_detach(device: str, *, session: Hidden) -> None:
    """Take a device from its driver and give it to vfio-pci."""
    session.call(lambda _: f"Device {device} detached", "nodedev-detach", device=device)


def nodedev_reattach(device: str, *, session: Hidden) -> None:
    """Give a device back to the host's own driver."""
    session.call(lambda _: f"Device {device} re-attached", "nodedev-reattach", device=device)


COMMANDS: dict[str, Callable[..., None]] = {
    "nodedev-list": nodedev_list,
    "nodedev-dumpxml": nodedev_dumpxml,
    "nodedev-detach": nodedev_detach,
    "nodedev-reattach": nodedev_reattach,
}
