"""Devices behind slots that handle hotplug themselves, and on controllers; by the monitor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from pyvirt_sim.checkers import Checker, ExactlyOnce, FollowsWithin
from pyvirt_sim.checkers.trace import begun, by, delivered, did, ended
from pyvirt_sim.clients.remover import Remover
from pyvirt_sim.qemu.guest import GuestState
from pyvirt_sim.scenarios.monitor_stage import MonitorStage, open_monitor_stage
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession, open_session

LETS_GO = "slot-lets-go"
LETS_GO_PROMISE = "A device whose guest is willing goes within a minute, however often it is asked."
EACH_ONCE = "deleted-once"
EACH_ONCE_PROMISE = "Every device that goes is announced once, those that go with it too."
NATIVE = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
PORT = ("-device", '{"driver": "pcie-root-port", "id": "pci.1", "chassis": 1, "addr": "0x2"}')


def _checkers() -> tuple[Checker, ...]:
    call = "remove"
    return (
        FollowsWithin(LETS_GO, LETS_GO_PROMISE, begun(call), ended(call), by("subject"), 60.0),
        ExactlyOnce(
            EACH_ONCE, EACH_ONCE_PROMISE, did("leaves"), delivered("DEVICE_DELETED"), by("subject")
        ),
    )


async def _removes(stage: MonitorStage) -> None:
    remover = Remover()
    async with open_session(await stage.connect(), on_event=remover.on_event) as session:
        await session.execute("cont")
        while stage.process.qemu.guest.state is not GuestState.RUNNING:  # noqa: ASYNC110
            await trio.sleep(0.02)
        rng = {"driver": "virtio-rng-pci", "id": "rng", "bus": "pci.1"}
        await session.execute("device_add", rng)
        await trio.sleep(2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_remove, stage, remover, session, name="program")
            await trio.sleep(90)
            stage.trace.end()
            nursery.cancel_scope.cancel()


async def _remove(stage: MonitorStage, remover: Remover, session: QmpSession) -> None:
    with stage.trace.call("program", "remove", "rng"):
        await remover.remove(session, "rng")


async def _removes_controller(stage: MonitorStage) -> None:
    """A controller goes, and with it what hangs on it."""

    def on_event(event: Event) -> None:
        name = event.data.get("device")
        if event.name == "DEVICE_DELETED" and name in names:
            stage.trace.delivered("program", event.name, str(name))

    names = ("scsi", "disk")
    async with open_session(await stage.connect(), on_event=on_event) as session:
        await session.execute(
            "device_add", {"driver": "virtio-scsi-pci", "id": "scsi", "bus": "pci.1"}
        )
        node = {"driver": "null-co", "node-name": "node"}
        await session.execute("blockdev-add", node)
        disk = {"driver": "scsi-hd", "id": "disk", "drive": "node", "bus": "scsi.0"}
        await session.execute("device_add", disk)
        await session.execute("cont")
        while stage.process.qemu.guest.state is not GuestState.RUNNING:  # noqa: ASYNC110
            await trio.sleep(0.02)
        for name in names:
            stage.trace.did("program", "leaves", name)
        await session.execute("device_del", {"id": "scsi"})
        await trio.sleep(5)


def _scenario(
    name: str,
    summary: str,
    story: Callable[[MonitorStage], Awaitable[None]],
    argv: tuple[str, ...],
) -> Scenario:
    async def program() -> None:
        async with open_monitor_stage(_checkers(), argv=argv) as stage:
            await story(stage)

    return Scenario(name, summary, LETS_GO_PROMISE, program)


SLOT = _scenario("slot-removal", "A slot blinks before it goes off.", _removes, (*NATIVE, *PORT))
CONTROLLER = _scenario("controller-removal", "A controller goes.", _removes_controller, PORT)
SCENARIOS = (SLOT, CONTROLLER)
