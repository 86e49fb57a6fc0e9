"""What a hypervisor does about its domains when it is opened, before anybody can ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt_trio.driver.saving import SAVE_FOLDER
from pyvirt_trio.errors import HostError

if TYPE_CHECKING:
    from pyvirt_trio.driver.hypervisor import Hypervisor


async def find_managed_saves(hypervisor: Hypervisor) -> None:
    """Every domain knows whether its next start goes on from a managed save.

    What a manager left behind that died while it wrote or read one is removed: an image that was
    not finished is of no use, and one that has been started from must not be used again.

    Raises:
        HostError: The folder cannot be read.
    """
    host, folder = hypervisor.host, f"{hypervisor.root}/{SAVE_FOLDER}"
    try:
        names = await host.list_directory(folder)
        for name in names:
            if not name.endswith(".save"):
                await host.remove_file(f"{folder}/{name}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"cannot read {folder}: {error.strerror}") from error
    with hypervisor.journal.commit() as commit:
        for domain in hypervisor.domains():
            commit.update(domain, has_managed_save=f"{domain.name}.save" in names)
