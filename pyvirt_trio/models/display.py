"""What a person sees and hears of a guest: screens, the servers that show them, and sound."""

from __future__ import annotations

import attrs

from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Listen(Value):
    """Where a server of graphics waits for its clients.

    Args:
        kind: ``address`` (TCP), ``socket`` (a unix socket) or ``none`` (nobody can connect).
        where: The IP address or the path; ``None`` means "choose one".
    """

    kind: str = "address"
    where: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Graphics(Device):
    """A server that shows the guest's screen to clients over the network.

    It is no device of the guest, and has neither alias nor address.

    Args:
        kind: ``vnc`` or ``spice``.
        listens: Where it waits for clients.
        port: TCP port; ``None`` means "choose one" when a life begins, if ``has_autoport``.
        has_autoport: The port is chosen anew for each life.
        websocket: TCP port for clients that speak WebSocket; -1 means "choose one", ``None`` none.
        keymap: Layout of the clients' keyboards, such as ``de``.
        password: What clients must know; ``None`` lets everybody in.
        password_expires_s: Until when it is valid, in seconds since 1970; ``None`` for ever.
        connected: What happens to connected clients when it changes: ``keep``, and with ``spice``
            also ``fail`` or ``disconnect``. ``None`` means ``keep``.
        share_policy: ``allow-exclusive``, ``force-shared`` or ``ignore``; only ``vnc``.
        has_power_control: Whether clients may switch the machine off; only ``vnc``.
    """

    kind: str = "vnc"
    listens: tuple[Listen, ...] = (Listen(),)
    port: int | None = None
    has_autoport: bool = True
    websocket: int | None = None
    keymap: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    password_expires_s: int | None = None
    connected: str | None = None
    share_policy: str | None = None
    has_power_control: bool | None = None

    @property
    def has_port(self) -> bool:
        """Whether it has a TCP port at all."""
        return any(one.kind == "address" for one in self.listens)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Video(Device):
    """A graphics card.

    Args:
        model: ``vga``, ``cirrus``, ``bochs``, ``virtio``, ``qxl``, ``ramfb``, or ``none``: there is
            no card, and none is to be added for a `Graphics`.
        is_primary: Firmware and guest begin on it; the first card of a definition.
        heads: How many screens it can have.
        vram_kib: Its memory, where the model has a choice.
        ram_kib: More memory of ``qxl``.
        vgamem_kib: Memory of ``qxl`` for VGA modes.
        resolution: Width and height to begin with, in pixels.
    """

    model: str = "cirrus"
    is_primary: bool = False
    heads: int = 1
    vram_kib: int | None = None
    ram_kib: int | None = None
    vgamem_kib: int | None = None
    resolution: tuple[int, int] | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Screenshot(Value):
    """A picture of a screen.

    Args:
        mime_type: What kind of picture, such as ``image/png``.
        data: The picture.
    """

    mime_type: str
    data: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Sound(Device):
    """A sound card. What it plays is heard by clients of ``spice``, or by nobody.

    Args:
        model: ``ac97``, ``es1370``, ``ich6``, ``ich9``, ``sb16`` or ``usb``.
        codecs: What sits on an ``ich6`` or ``ich9``: ``duplex``, ``micro`` or ``output``; one
            ``duplex`` when none is named.
    """

    model: str
    codecs: tuple[str, ...] = ()
