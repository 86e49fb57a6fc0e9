"""A machine that outlives its crashes: its disk, and the devices in its slots."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from pyvirt_sim.engine.disk import Disk
from pyvirt_sim.host.host import SimHost
from pyvirt_sim.host.pci import SimPciDevice
from pyvirt_sim.host.plan import HostPlan


class SimMachine:
    """A simulated machine, on or off. It has the ``crash`` that a node asks of its disk.

    Args:
        plan: What may be slow or go wrong.
        nursery: Runs its processes.

    Attributes:
        disk: What survives.
        devices: What is in its slots when it boots; from the second boot on.
        host: The running system, or the last one.
    """

    def __init__(self, plan: HostPlan, nursery: trio.Nursery) -> None:
        self.plan = plan
        self.disk = Disk()
        self._nursery = nursery
        self._devices: list[SimPciDevice] = []
        self._boots = 0
        self.host = self.boot()

    def boot(self) -> SimHost:
        """Switch it on: files as the disk has them, devices bound to their own drivers.

        Raises:
            RuntimeError: It is on.
        """
        self.host = SimHost(self.plan, self._nursery, self.disk, self._devices, boots=self._boots)
        self._boots += 1
        return self.host

    def crash(self) -> None:
        """Lose power, see `SimHost.crash`; `boot` switches it on again."""
        devices = self.host.pci.devices.values()
        self._devices = [device for device in devices if device.physical_function is None]
        self.host.crash()


@asynccontextmanager
async def open_sim_machine(plan: HostPlan | None = None) -> AsyncGenerator[SimMachine]:
    """A simulated machine that can crash and boot again, for the length of a block.

    Args and the rest as for `open_sim_host`.
    """
    failed: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield SimMachine(HostPlan.quiet() if plan is None else plan, nursery)
        except Exception as error:  # noqa: BLE001 - raised again, outside the nursery
            failed = error
        nursery.cancel_scope.cancel()
    if failed is not None:
        raise failed


@asynccontextmanager
async def open_sim_host(plan: HostPlan | None = None) -> AsyncGenerator[SimHost]:
    """A simulated machine, switched on for the length of a block.

    Runs under the engine, where every delay and fault is chosen and recorded, and under a plain
    ``trio.run``, where nothing is slow and nothing goes wrong.

    Args:
        plan: What may be slow or go wrong; nothing when ``None``.

    Raises:
        ModelGapError: (while the block runs) Something was asked that is not modelled.

    Cancellation:
        All processes end as if the power had failed.
    """
    async with open_sim_machine(plan) as machine:
        yield machine.host
