"""A domain's calls about what its guest shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from pyvirt_trio.driver import image_files
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.life import Life
from pyvirt_trio.errors import HostError, InvalidStateError
from pyvirt_trio.models.display import Screenshot, Video
from pyvirt_trio.models.jobs import JobKind

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host
    from pyvirt_trio.driver.store import Store

MIME_TYPE: Final = "image/png"
"""QEMU 7.1 and later write it; libvirt asks for it where it can be had."""

MAX_BYTES: Final = 64 << 20
"""Of a picture: one of 3840 by 2160 dots that nothing compresses has 25 MB."""

SCREEN: Final = ".screen"
"""Ending of a picture's name while it is read, below ``ROOT/run``."""


class ScreenCalls(DomainCore):
    """See `Domain`."""

    async def screenshot(self, *, screen: int = 0) -> Screenshot:
        """A picture of what the guest shows now (``virDomainScreenshot``).

        Args:
            screen: Which of its screens, in the order of the graphics cards, each with its heads.

        Returns:
            The picture, and what kind of picture it is.

        Raises:
            InvalidStateError: The domain does not run, or has no such screen.
            CommandFailedError: QEMU has nothing to show there.
            HostError: The picture could not be written or read, or has more than 64 MiB.

        Cancellation:
            Nothing of the picture is left.
        """
        path = f"{self.store.root}/run/{self.host.fresh_uuid()}{SCREEN}"
        try:
            await self.save_screenshot(path, screen=screen)
            found = await self.host.read_head(path, MAX_BYTES)
        except OSError as error:
            raise HostError(f"cannot read {path}: {error.strerror}") from error
        finally:
            with trio.CancelScope(shield=True):
                await image_files.remove(self.host, path)
        if found.size > len(found.data):
            raise HostError(f"a picture of {found.size} bytes is more than {MAX_BYTES}")
        return Screenshot(mime_type=MIME_TYPE, data=found.data)

    async def save_screenshot(self, path: str, *, screen: int = 0) -> str:
        """A picture of what the guest shows now is in a file; see `screenshot`.

        Args:
            path: Absolute path of the file; what is there is replaced. Only its owner may read it.
            screen: As for `screenshot`.

        Returns:
            The MIME type of the picture.

        Raises:
            DefinitionError: The path is not absolute.
            InvalidStateError, CommandFailedError, HostError: As for `screenshot`.

        Cancellation:
            The file may be empty or incomplete.
        """
        image_files.require_absolute(path)
        async with self.job.hold("screenshot", JobKind.QUERY):
            life = self.running_life()
            arguments = {"filename": path, "format": "png", **_console(life, screen)}
            await image_files.create(life.host, path)  # for nobody else, which QEMU leaves open
            await life.execute("screendump", arguments)
        return MIME_TYPE


async def remove_pictures(store: Store, host: Host) -> None:
    """Nothing is left of what a manager that died was reading."""
    for name in await store.run_files():
        if name.endswith(SCREEN):
            await image_files.remove(host, f"{store.root}/run/{name}")


def _console(life: Life, screen: int) -> dict[str, str | int]:
    """Where QEMU finds a screen: the first one without being told."""
    cards = [device for device in life.definition.devices if isinstance(device, Video)]
    if not cards:
        raise InvalidStateError("no screens to take screenshot from")
    if screen == 0:
        return {}
    head = screen
    for card in cards:
        if 0 <= head < card.heads:
            assert card.alias is not None, "a device in a life has an alias"
            return {"device": card.alias, **({"head": head} if head else {})}
        head -= card.heads
    raise InvalidStateError("no such screen ID")
