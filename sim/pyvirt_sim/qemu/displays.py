"""Servers that show the guest's screen: VNC and SPICE, their ports and their passwords.

What is modelled is what a monitor sees of them; who connects, a test says (`viewers`).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.errors import QmpError, StartupError
from pyvirt_sim.qemu.world import World

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess
    from pyvirt_sim.qemu.viewers import Viewer

_VNC_BASE: Final = 5900
_WEBSOCKET_BASE: Final = 5700
_VNC_KEYS: Final = frozenset(
    {"vnc", "websocket", "share", "password", "power-control", "audiodev"},
)
_SPICE_KEYS: Final = frozenset(
    {"port", "addr", "unix", "disable-ticketing", "seamless-migration"},
)
_SHARE: Final = ("ignore", "allow-exclusive", "force-shared")
_DEFAULT: Final = "default"
_SPICE_VERSION: Final = "0.15.1"


@attrs.define(kw_only=True)
class Vnc:
    """One ``-vnc``.

    Args:
        text: As it was written.
        host: An IP address; empty for a unix socket, ``None`` when it does not listen.
        service: The port or the path.
        websocket: The port for WebSocket.
        has_password: Whether clients need one.
        audiodev: Who plays what the guest plays.
    """

    text: str
    host: str | None = None
    service: str = ""
    websocket: int | None = None
    has_password: bool = False
    audiodev: str | None = None

    @property
    def auth(self) -> str:
        """How clients prove who they are."""
        return "vnc" if self.has_password else "none"

    @property
    def family(self) -> str:
        """Of its address."""
        return "unix" if not self.host else f"ipv{ipaddress.ip_address(self.host).version}"


@attrs.define(kw_only=True)
class Spice:
    """The one ``-spice``."""

    text: str
    host: str = "*"
    port: int | None = None
    is_unix: bool = False
    has_ticket: bool = True


def parse_vnc(text: str, keys: Mapping[str, str]) -> Vnc:
    """Read the value of ``-vnc``.

    Raises:
        StartupError: QEMU refuses it.
        ModelGapError: QEMU takes it, we do not model it.
    """
    if keys.keys() - _VNC_KEYS:
        raise ModelGapError(f"-vnc {text} is not modelled")
    if keys.get("share", "ignore") not in _SHARE:
        raise StartupError(f"-vnc {text}: unknown vnc share= option")
    found = Vnc(text=text, has_password=keys.get("password") == "on", audiodev=keys.get("audiodev"))
    where = keys.get("vnc", "")
    if where == "none":
        return found
    if where.startswith("unix:"):
        found.host, found.service = "", where.removeprefix("unix:")
        return found
    host, _, display = where.rpartition(":")
    if not display.isdigit():
        raise ModelGapError(f"-vnc {text} is not modelled")
    found.host = host.removeprefix("[").removesuffix("]")
    found.service = str(_VNC_BASE + int(display))
    websocket = keys.get("websocket")
    if websocket is not None:
        found.websocket = int(websocket) if websocket != "on" else _WEBSOCKET_BASE + int(display)
    _check_address(text, found.host)
    return found


def _check_address(text: str, host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ModelGapError(f"the host name in {text} is not modelled") from None


def parse_spice(text: str, keys: Mapping[str, str]) -> Spice:
    """Read the value of ``-spice``; as `parse_vnc`."""
    if keys.keys() - _SPICE_KEYS:
        raise ModelGapError(f"-spice {text} is not modelled")
    port = keys.get("port", "0")
    if not port.isdigit():
        raise ModelGapError(f"-spice {text} is not modelled")
    return Spice(
        text=text,
        host=keys.get("addr", "*"),
        port=int(port) or None,
        is_unix=keys.get("unix") == "on",
        has_ticket=keys.get("disable-ticketing") != "on",
    )


class Displays:
    """The servers of one QEMU, listening."""

    def __init__(
        self, world: World, vncs: list[Vnc], spice: Spice | None, audiodevs: Mapping[str, str]
    ) -> None:
        self.vncs = vncs
        self.spice = spice
        self.viewers: list[Viewer] = []
        self._world = world
        self._audiodevs = audiodevs
        self._closers: list[Callable[[], None]] = []

    def open(self) -> None:
        """Listen.

        Raises:
            StartupError: Somebody else does, or there is no such place.
        """
        for vnc in self.vncs:
            option = f"-vnc {vnc.text}"
            if vnc.audiodev is not None and vnc.audiodev not in self._audiodevs:
                raise StartupError(f"{option}: Audiodev '{vnc.audiodev}' not found")
            if vnc.host == "":
                self._listen(option, vnc.service)
            elif vnc.host is not None:
                self._claim(option, int(vnc.service))
                if vnc.websocket is not None:
                    self._claim(option, vnc.websocket)
        spice = self.spice
        if spice is None:
            return
        if spice.is_unix:
            self._listen(f"-spice {spice.text}", spice.host)
        elif spice.port is not None:
            give_back = self._world.claim_port(spice.port)
            if give_back is None:
                raise ModelGapError("a port of spice that is taken is not modelled")
            self._closers.append(give_back)

    def _claim(self, option: str, port: int) -> None:
        give_back = self._world.claim_port(port)
        if give_back is None:
            raise StartupError(
                f"{option}: Failed to find an available port: Address already in use"
            )
        self._closers.append(give_back)

    def _listen(self, option: str, path: str) -> None:
        try:
            listener = self._world.listen(path, lambda _stream: False)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise StartupError(f"{option}: Failed to bind socket to {path}: {reason}") from error
        self._closers.append(lambda: listener.close(unlink=True))

    def close(self) -> None:
        """Listen no more."""
        while self._closers:
            self._closers.pop()()

    def _find(self, arguments: Arguments) -> Vnc | None:
        wanted = arguments.get("display", _DEFAULT)
        return self.vncs[0] if self.vncs and wanted == _DEFAULT else None

    def set_password(self, arguments: Arguments) -> None:
        """QMP ``set_password``: what clients must know from now on."""
        if arguments["protocol"] == "spice":
            if not self._active_spice().has_ticket:
                raise QmpError("Could not set password")
            return
        if arguments.get("connected", "keep") != "keep":  # VNC keeps who is there
            raise QmpError("Invalid parameter 'connected'")
        vnc = self._find(arguments)
        if vnc is None or not vnc.has_password:
            raise QmpError("Could not set password")

    def expire_password(self, arguments: Arguments) -> None:
        """QMP ``expire_password``: any text is a time for QEMU."""
        if arguments["protocol"] == "spice":
            self._active_spice()
        elif self._find(arguments) is None:
            raise QmpError("Could not set password expire time")

    def _active_spice(self) -> Spice:
        if self.spice is None:
            raise QmpError("SPICE is not in use", "DeviceNotActive")
        return self.spice

    def query_vnc(self) -> dict[str, Any]:
        """QMP ``query-vnc``."""
        self._require_no_viewers()
        vnc = self.vncs[0] if self.vncs else None
        if vnc is None or vnc.host is None:
            return {"enabled": False}
        return {
            "enabled": True,
            "auth": vnc.auth,
            "family": vnc.family,
            "clients": [],
            "service": vnc.service,
            "host": vnc.host,
        }

    def query_vnc_servers(self) -> list[dict[str, Any]]:
        """QMP ``query-vnc-servers``."""
        self._require_no_viewers()
        return [
            {"auth": vnc.auth, "clients": [], "server": _listeners(vnc), "id": _DEFAULT}
            for vnc in self.vncs[:1]
        ]

    def _require_no_viewers(self) -> None:
        if self.viewers:
            raise ModelGapError("the list of a VNC server's clients is not modelled")

    def query_spice(self) -> dict[str, Any]:
        """QMP ``query-spice``."""
        spice = self.spice
        if spice is None:
            return {"migrated": False, "enabled": False, "mouse-mode": "client"}
        return {
            "migrated": False,
            "enabled": True,
            "auth": "spice" if spice.has_ticket else "none",
            **({} if spice.port is None else {"port": spice.port}),
            "compiled-version": _SPICE_VERSION,
            "host": spice.host,
            "channels": [],
            "mouse-mode": "server",
        }


def _listeners(vnc: Vnc) -> list[dict[str, Any]]:
    if vnc.host is None:
        return []
    services = [(vnc.service, False)]
    if vnc.websocket is not None:
        services.insert(0, (str(vnc.websocket), True))
    return [
        {
            "auth": vnc.auth,
            "family": vnc.family,
            "service": service,
            "host": vnc.host,
            "websocket": is_websocket,
        }
        for service, is_websocket in services
    ]


def _change_vnc_password(qemu: QemuProcess, _arguments: Arguments) -> None:
    qemu.displays.set_password({"protocol": "vnc"})


COMMANDS: Final[Mapping[str, Handler]] = {
    "set_password": lambda qemu, arguments: qemu.displays.set_password(arguments),
    "expire_password": lambda qemu, arguments: qemu.displays.expire_password(arguments),
    "change-vnc-password": _change_vnc_password,
    "query-vnc": lambda qemu, _arguments: qemu.displays.query_vnc(),
    "query-vnc-servers": lambda qemu, _arguments: qemu.displays.query_vnc_servers(),
    "query-spice": lambda qemu, _arguments: qemu.displays.query_spice(),
}
