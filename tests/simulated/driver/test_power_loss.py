"""The machine loses power after any step: what the manager was told is done, is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import pytest

from pyvirt_sim.engine import Canonical, Chooser, Node, RandomWalk, crash_at_every_step
from pyvirt_sim.host import SimMachine, open_sim_machine
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, DOMAIN_XML
from pyvirt_trio import open_hypervisor
from tests.sim.host.running import card

URI = "qemu:///embed?root=/var/lib/vms"
OTHER_XML = DOMAIN_XML.replace("demo", "other").replace("000000000001", "000000000002")


@attrs.define
class Operator:
    """Somebody outside, who remembers what has been acknowledged and what has been asked for.

    Attributes:
        defined: Name -> whether it is defined; None while an answer is awaited.
        lives: How often the manager has started.
    """

    defined: dict[str, bool | None] = attrs.Factory(lambda: {"demo": False, "other": False})
    lives: int = 0

    async def manage(self, machine: SimMachine) -> None:
        """One life of the manager: check what is there, then change it."""
        host = machine.boot() if machine.host.is_dead else machine.host
        host.add_file("/boot/vmlinuz")
        self.lives += 1
        async with open_hypervisor(URI, host=host) as hypervisor:
            found = {domain.name for domain in hypervisor.domains()}
            for name, is_defined in self.defined.items():
                assert is_defined is None or is_defined == (name in found), (name, found)
            for name, xml in (("demo", DOMAIN_XML), ("other", OTHER_XML)):
                self.defined[name] = None
                await hypervisor.define(xml)
                self.defined[name] = True
            node_device = await hypervisor.node_device(ADDRESS.node_device_name)
            await node_device.detach()
            await hypervisor.domain("demo").start()
            self.defined["other"] = None
            await hypervisor.domain("other").undefine()
            self.defined["other"] = False
            await hypervisor.domain("demo").destroy()


def program_of(operators: list[Operator]) -> Callable[[], Awaitable[None]]:
    async def program() -> None:
        operator = Operator()
        operators.append(operator)
        async with open_sim_machine() as machine:
            machine.host.add_pci_device(card())
            node = Node("machine", disk=machine)
            node.may_crash(within_steps=400, restart_after_s=1)
            await node.run(operator.manage, machine)

    return program


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_what_was_acknowledged_survives_a_crash_after_any_step(seed: int | None) -> None:
    """Found by this: a definition was durable, and the directory it was in was not."""
    operators: list[Operator] = []

    def make_chooser() -> Chooser:
        return Canonical() if seed is None else RandomWalk(seed)

    program = program_of(operators)
    for run in crash_at_every_step(program, "machine", make_chooser=make_chooser):
        if run.error is not None:
            run.error.add_note(run.tape.to_text())
            raise run.error
    assert len(operators) > 50
    assert {operator.lives for operator in operators} == {1, 2}
