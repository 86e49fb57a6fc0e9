"""Carry out the steps on a simulated host: the other half of `agent`."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterable

import attrs
import trio

from pyvirt_sim.conformance.kernel.scene import devices
from pyvirt_sim.conformance.kernel.steps import NOT_OPEN, SUBSYSTEMS, GroupNames, Step
from pyvirt_sim.engine import simulate
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.host.pci.vfio import OpenGroup, OpenVfioDevice

_WAIT_S = 0.5
"""Virtual seconds that a call is given before it is said to wait."""
_OWNER = 4711


@attrs.define(eq=False)
class _Group:
    """An open group, the devices open in it, and those that the kernel wants back."""

    opened: OpenGroup
    devices: dict[str, list[OpenVfioDevice]] = attrs.Factory(dict[str, list[OpenVfioDevice]])
    wanted: dict[str, bool] = attrs.Factory(dict[str, bool])


class Simulation:
    """The simulated kernel, and what the script has open there."""

    def __init__(self, host: SimHost, nursery: trio.Nursery) -> None:
        self._host = host
        self._nursery = nursery
        self._names = GroupNames(
            lambda number: [str(d.address) for d in host.pci.members(int(number))]
        )
        self._events = host.open_uevents()
        self._groups: dict[str, _Group] = {}
        self._calls: dict[str, tuple[trio.Event, list[object]]] = {}

    async def do(self, step: Step) -> dict[str, object]:
        """Carry out a step; the answer or the name of the errno, and the events it caused."""
        answer = await _answer(self._do(step))
        return {"answer": answer, "events": [] if self._calls else self._drain()}

    async def _do(self, step: Step) -> object:
        host, files = self._host, _FILES.get(step.call)
        if files is not None:
            return await files(host, step)
        match step.call:
            case "begin":
                self._begin(step)
            case "waits":
                return await self._waits(step)
            case "end":
                ended, outcome = self._calls.pop(step.other)
                await ended.wait()
                return outcome[0]
            case "members":
                return sorted(str(d.address) for d in host.pci.members(self._number(step)))
            case "nodes":
                return sorted(self._names.name(n) for n in await host.list_directory("/dev/vfio"))
            case "open":
                opened = host.pci.vfio.open_group(self._number(step), _OWNER)
                self._groups[step.other] = _Group(opened)
            case _:
                return self._in_group(step)
        return None

    def _in_group(self, step: Step) -> object:
        group = self._groups[step.other]
        match step.call:
            case "viable":
                return group.opened.is_viable
            case "attach":
                group.opened.attach()
            case "detach":
                group.opened.detach()
            case "device":
                self._open_device(group, step.target)
            case "asked":
                _ = group.wanted[step.target]
                was_asked, group.wanted[step.target] = group.wanted[step.target], False
                return was_asked
            case "release":
                for device in group.devices.pop(step.target):
                    device.close()
                del group.wanted[step.target]
            case "close":
                del self._groups[step.other]
                group.opened.close()
            case _:
                raise ValueError(f"no such step: {step}")
        return None

    def _open_device(self, group: _Group, address: str) -> None:
        def request() -> None:
            group.wanted[address] = True

        opened = group.opened.open_device(address, request)
        group.devices.setdefault(address, []).append(opened)
        group.wanted[address] = False

    def _begin(self, step: Step) -> None:
        ended, outcome = trio.Event(), list[object]()

        async def call() -> None:
            files = _FILES["write" if step.text else "read"]
            outcome.append(await _answer(files(self._host, step)))
            ended.set()

        self._calls[step.other] = (ended, outcome)
        self._nursery.start_soon(call)

    async def _waits(self, step: Step) -> bool:
        ended, _ = self._calls[step.other]
        with trio.move_on_after(_WAIT_S):
            await ended.wait()
        return not ended.is_set()

    def _number(self, step: Step) -> int:
        device = self._host.pci.devices.get(step.target)
        if device is None or device.iommu_group is None:
            raise FileNotFoundError(errno.ENOENT, "no such device", step.target)
        return device.iommu_group

    def _drain(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        while True:
            try:
                event = self._events.receive_nowait()
            except trio.WouldBlock:
                return found
            if event.subsystem in SUBSYSTEMS:
                named = {
                    "ACTION": event.action,
                    "DEVPATH": event.devpath,
                    "SUBSYSTEM": event.subsystem,
                }
                found.append(self._names.comparable({**named, **event.properties}))


async def _answer(call: Awaitable[object]) -> object:
    try:
        return await call
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except KeyError:
        return NOT_OPEN
    except ModelGapError as gap:
        return f"not modelled: {gap}"


async def _write(host: SimHost, step: Step) -> object:
    await host.write_attribute(step.target, step.text)
    return None


_FILES: dict[str, Callable[[SimHost, Step], Awaitable[object]]] = {
    "read": lambda host, step: host.read_text(step.target),
    "list": lambda host, step: host.list_directory(step.target),
    "link": lambda host, step: host.read_link(step.target),
    "exists": lambda host, step: host.exists(step.target),
    "write": _write,
}


def play_simulated(steps: Iterable[Step]) -> list[dict[str, object]]:
    """Carry out the steps on a simulated host with the devices of the scene.

    Returns:
        Per step the answer and the events, in the form that `agent` writes.
    """
    answers: list[dict[str, object]] = []

    async def program() -> None:
        async with open_sim_host() as host, trio.open_nursery() as nursery:
            for device in devices():
                host.add_pci_device(device)
            simulation = Simulation(host, nursery)
            answers.extend([await simulation.do(step) for step in steps])

    run = simulate(program)
    if run.error is not None:
        raise run.error
    return answers
