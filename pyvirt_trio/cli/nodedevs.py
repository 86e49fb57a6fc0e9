"""Commands for devices of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import Parameter

from pyvirt_trio.cli.session import Hidden


def nodedev_list(*, session: Hidden) -> None:
    """List the host's PCI devices, their drivers, and which are active or inactive.

    Args:
        session: Given by the launcher.
    """

    def table(answer: list[dict[str, Any]]) -> str:
        return "\n".join(
            f"{one['name']:22} {one['driver'] or '-':16} {one['list'] or ''}".rstrip()
            for one in answer
        )

    session.call(table, "nodedev-list")


def nodedev_dumpxml(device: str, *, session: Hidden) -> None:
    """Print a device of the host as XML.

    Args:
        device: Its name, such as pci_0000_01_00_0.
        session: Given by the launcher.
    """
    session.call(str.rstrip, "nodedev-dumpxml", device=device)


Force = Annotated[bool, Parameter(negative="")]


def nodedev_detach(
    device: str, *, driver: str | None = None, force: Force = False, session: Hidden
) -> None:
    """Take a device from its driver and give it to vfio-pci.

    Args:
        device: Its name, such as pci_0000_01_00_0.
        driver: The driver that gets it; only vfio is known.
        force: Even if it carries the default route or a mounted file system.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Device {device} detached",
        "nodedev-detach",
        device=device,
        driver=driver,
        force=force,
    )


def nodedev_reattach(device: str, *, force: Force = False, session: Hidden) -> None:
    """Give a device back to the host's own driver.

    Args:
        device: Its name, such as pci_0000_01_00_0.
        force: Even if it was never detached: take it from its driver and let all drivers try.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Device {device} re-attached", "nodedev-reattach", device=device, force=force
    )


def nodedev_reset(device: str, *, force: Force = False, session: Hidden) -> None:
    """Bring a device back to the state it had when it was switched on.

    Args:
        device: Its name, such as pci_0000_01_00_0.
        force: Even if it carries the default route or a mounted file system.
        session: Given by the launcher.
    """
    session.call(lambda _: f"Device {device} reset", "nodedev-reset", device=device, force=force)


COMMANDS: dict[str, Callable[..., None]] = {
    "nodedev-list": nodedev_list,
    "nodedev-dumpxml": nodedev_dumpxml,
    "nodedev-detach": nodedev_detach,
    "nodedev-reattach": nodedev_reattach,
    "nodedev-reset": nodedev_reset,
}
