"""Run a test's body on a simulated machine, with every draw as the test wants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pyvirt_sim.engine import Canonical, Chooser, Point, Run, RunStart, simulate
from pyvirt_sim.host import HostPlan, SimMachine, SimPciDevice, open_sim_machine
from pyvirt_trio.models import PciAddress

CARD = PciAddress.parse("0000:01:00.0")
SYSFS = f"/sys/bus/pci/devices/{CARD}"
VFIO = "/sys/bus/pci/drivers/vfio-pci"


def card(**more: object) -> SimPciDevice:
    """A network card with a driver and a group."""
    settings: dict[str, object] = {"address": CARD, "driver": "e1000e", "iommu_group": 7, **more}
    return SimPciDevice(**settings)  # type: ignore[arg-type]  # each test says what it needs


class Fixed:
    """A chooser that answers draws by their label, and everything else canonically."""

    def __init__(self, answers: Mapping[str, int]) -> None:
        self._answers = answers

    def start(self, _run: RunStart, /) -> None:
        pass

    def choose(self, point: Point, /) -> int:
        return min(self._answers.get(point.label, 0), point.bound - 1)

    def finish(self, _result: Run | None, /) -> None:
        pass


def run_on_machine(
    body: Callable[[SimMachine], Awaitable[None]],
    *live: str,
    answers: Mapping[str, int] | None = None,
    chooser: Chooser | None = None,
) -> Run:
    """Run ``body`` on a machine that has the card; what the body raises is raised."""

    async def program() -> None:
        async with open_sim_machine(HostPlan(live=frozenset(live))) as machine:
            machine.host.add_pci_device(card())
            await body(machine)

    run = simulate(program, chooser=chooser or (Fixed(answers) if answers else Canonical()))
    if run.error is not None:
        raise run.error
    return run
