"""Somebody who looks at the guest's screen, as far as QEMU tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess


@attrs.frozen
class Viewer:
    """A client of a QEMU's first VNC server, on the same machine; a test leads it.

    Args:
        qemu: The process.
        service: Its end of the connection; a client of a unix socket has none.
    """

    qemu: QemuProcess
    service: str = "51484"

    def connect(self) -> None:
        """It connects."""
        self.qemu.displays.viewers.append(self)
        self.qemu.events.emit("VNC_CONNECTED", self._ends())

    def be_let_in(self) -> None:
        """It has shown who it is, where that is asked, and gets the screen."""
        self.qemu.events.emit("VNC_INITIALIZED", self._ends())

    def leave(self) -> None:
        """It hangs up."""
        self.qemu.displays.viewers.remove(self)
        self.qemu.events.emit("VNC_DISCONNECTED", self._ends())

    def _ends(self) -> dict[str, Any]:
        vnc = self.qemu.displays.vncs[0]
        common = {"family": vnc.family, "host": vnc.host, "websocket": False}
        service = self.service if vnc.host else ""
        server = {**common, "service": vnc.service, "auth": vnc.auth}
        return {"server": server, "client": {**common, "service": service}}
