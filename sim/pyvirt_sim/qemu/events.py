"""The events of one QEMU: who hears them, and which are held back when they come too often.

QEMU sends at most one event a second of the kinds a guest can trigger at will. The first goes out
at once; of those that follow within the second only the last is kept, and sent when it is over,
with the time stamp of its making. VSERPORT_CHANGE, QUORUM_REPORT_BAD and
MEMORY_DEVICE_SIZE_CHANGE are counted for each port, node and device apart
(``monitor_qapi_event_conf`` and ``qapi_event_throttle_equal`` in ``monitor/monitor.c``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from pyvirt_sim.engine import note
from pyvirt_sim.qemu.world import World

PERIOD_S: Final = 1.0
# Event -> the member of its data that tells one source from another, None where there is one count.
RATE_LIMITED: Final[Mapping[str, str | None]] = {
    "RTC_CHANGE": None,
    "WATCHDOG": None,
    "BALLOON_CHANGE": None,
    "QUORUM_REPORT_BAD": "node-name",
    "QUORUM_FAILURE": None,
    "VSERPORT_CHANGE": "id",
    "MEMORY_DEVICE_SIZE_CHANGE": "qom-path",
}

# What our QEMU may send; a test looks for a place in the code for each, and for no others.
MODELLED: Final = frozenset(
    {
        *("STOP", "RESUME", "RESET", "SHUTDOWN", "POWERDOWN", "SUSPEND", "SUSPEND_DISK", "WAKEUP"),
        *("WATCHDOG", "ACPI_DEVICE_OST", "GUEST_PANICKED", "GUEST_CRASHLOADED", "RTC_CHANGE"),
        *("JOB_STATUS_CHANGE", "BLOCK_JOB_READY", "BLOCK_JOB_PENDING"),
        *("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED"),
        *("BLOCK_EXPORT_DELETED", "MIGRATION", "MIGRATION_PASS", "DUMP_COMPLETED"),
        *("DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", "DEVICE_TRAY_MOVED"),
        *("NETDEV_STREAM_CONNECTED", "NETDEV_STREAM_DISCONNECTED", "MEMORY_DEVICE_SIZE_CHANGE"),
        *("VSERPORT_CHANGE", "NIC_RX_FILTER_CHANGED", "BALLOON_CHANGE"),
        *("BLOCK_IO_ERROR", "BLOCK_WRITE_THRESHOLD", "MEMORY_FAILURE"),
        *("VNC_CONNECTED", "VNC_INITIALIZED", "VNC_DISCONNECTED"),
    }
)

Message = dict[str, Any]


class Events:
    """Makes events and passes them on.

    Args:
        world: The host.
        actor: Who does things in notes.
        send: Gives a message to every monitor that has negotiated.
        spawn: Starts a background task in the process.
    """

    def __init__(
        self,
        world: World,
        actor: Callable[[], str],
        send: Callable[[Message], None],
        spawn: Callable[..., object],
    ) -> None:
        self._world = world
        self._actor = actor
        self._send = send
        self._spawn = spawn
        # The events whose second is not over -> the last one held back in it.
        self._held: dict[tuple[str, object], Message | None] = {}

    def emit(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        """Send an event, now or when its kind may be sent again."""
        if name not in MODELLED:
            raise AssertionError(f"the event {name} is on the list of gaps")
        note(self._actor(), name, **_facts(data or {}))
        seconds, microseconds = divmod(round(self._world.wall_clock_s() * 1_000_000), 1_000_000)
        message: Message = {
            "timestamp": {"seconds": seconds, "microseconds": microseconds},
            "event": name,
        }
        if data is not None:
            message["data"] = dict(data)
        if name in RATE_LIMITED:
            member = RATE_LIMITED[name]
            self._send_limited((name, (data or {}).get(member) if member else None), message)
        else:
            self._send(message)

    def _send_limited(self, key: tuple[str, object], message: Message) -> None:
        if key in self._held:
            self._held[key] = message
            return
        self._held[key] = None
        self._send(message)
        self._spawn(self._open_again, key, name=f"{self._actor()}/rate limit of {key[0]}")

    async def _open_again(self, key: tuple[str, object]) -> None:
        while True:
            await trio.sleep(PERIOD_S)
            message = self._held[key]
            if message is None:
                del self._held[key]
                return
            self._held[key] = None
            self._send(message)


def _facts(data: Mapping[str, Any]) -> dict[str, object]:
    """An event's data as the facts of a note, which has an action of its own."""
    return {
        "leads_to" if key == "action" else key.replace("-", "_"): value
        for key, value in data.items()
    }
