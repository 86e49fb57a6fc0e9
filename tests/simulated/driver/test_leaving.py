"""A manager, a QEMU or a caller goes, at any moment: each is told from the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import pytest
import trio

from pyvirt_sim.engine import Chooser, simulate
from pyvirt_sim.engine.choosers import PartialOrderSampling, RandomWalk
from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.prove.restart_stories import REMEMBERED
from pyvirt_sim.prove.stage import DOMAIN_XML, KERNEL
from pyvirt_trio import Hypervisor, open_hypervisor
from pyvirt_trio.models.events import Cursor
from tests.simulated.driver.world import RNG_XML, URI, received

QUIET_S = 5.0
MAX_STEPS = 500
"""Of tasks, until all is quiet; there are about 80."""

CHOOSERS: tuple[Callable[[int], Chooser], ...] = (RandomWalk, PartialOrderSampling)


class GoneError(Exception):
    """What the body of a manager ends with."""


class At(trio.abc.Instrument):
    """Does something before the step with the number ``step``, counted from when it is added."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self.steps = 0
        self._step = step
        self._act = act

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps == self._step:
            self._act()


@attrs.define
class Story:
    """What became of a domain whose manager, or whose QEMU, went at one step."""

    was_reached: bool = False
    status: str = ""
    qemus: int = 0
    told: list[str] = attrs.Factory(list[str])


async def settled(hypervisor: Hypervisor) -> None:
    async with hypervisor.domain("demo").job.hold("look"):
        pass


async def booted(host: SimHost) -> Cursor:
    """The domain runs, and its manager has gone as managers should."""
    host.add_file(KERNEL)
    async with open_hypervisor(URI, host=host) as hypervisor:
        domain = await hypervisor.define(DOMAIN_XML)
        await domain.start()
        await trio.sleep(QUIET_S)
        await domain.attach_device(RNG_XML)
        return hypervisor.subscribe()[1].cursor


async def look(host: SimHost, cursor: Cursor, story: Story) -> None:
    """What the next manager finds, and all that was told since."""
    async with open_hypervisor(URI, host=host) as hypervisor:
        await settled(hypervisor)
        events = hypervisor.resume(cursor)
        story.told = [type(event).__name__ for event in received(hypervisor, events)]
        story.status = str(hypervisor.domain("demo").status)
        story.qemus = sum(not process.has_ended for process in host.processes())


async def leave(how: str, step: int, story: Story) -> None:
    async with open_sim_host() as host:
        cursor = await booted(host)
        asked, scope = trio.Event(), trio.CancelScope()
        at = At(step, scope.cancel if how == "cancelled" else asked.set)
        with scope:
            trio.lowlevel.add_instrument(at)
            try:
                async with open_hypervisor(URI, host=host):
                    with trio.move_on_after(QUIET_S):
                        await asked.wait()
                    if how == "raises" and asked.is_set():
                        raise GoneError
            except GoneError:
                pass
            finally:
                trio.lowlevel.remove_instrument(at)
        story.was_reached = at.steps >= step
        await look(host, cursor, story)


async def kill(step: int, story: Story) -> None:
    async with open_sim_host() as host:
        cursor = await booted(host)
        at = At(step, host.processes()[-1].kill)
        async with open_hypervisor(URI, host=host) as hypervisor:
            trio.lowlevel.add_instrument(at)
            await settled(hypervisor)
            trio.lowlevel.remove_instrument(at)
            await trio.sleep(QUIET_S)
            story.was_reached = at.steps >= step
            status = str(hypervisor.domain("demo").status)
        await look(host, cursor, story)
        assert story.status == status, "known to the manager that was there"


async def give_up(step: int, story: Story, *, is_saved: bool) -> None:
    """Whoever starts the domain is cancelled before one step of it."""
    async with open_sim_host() as host:
        host.add_file(KERNEL)
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(DOMAIN_XML)
            if is_saved:
                await domain.start()
                await trio.sleep(QUIET_S)
                host.processes()[-1].qemu.guest.memory |= REMEMBERED
                await domain.managed_save()
            scope = trio.CancelScope()
            at = At(step, scope.cancel)
            with scope:
                trio.lowlevel.add_instrument(at)
                await domain.start()
            trio.lowlevel.remove_instrument(at)
            story.was_reached = at.steps >= step
            await trio.sleep(QUIET_S)
            story.status = domain.status.state.name
            story.qemus = sum(not process.has_ended for process in host.processes())
            if not story.qemus and is_saved:
                await domain.start()
            if story.qemus:
                await domain.suspend()  # it can still be managed
            if is_saved:
                assert host.processes()[-1].qemu.guest.memory == REMEMBERED


def stories(seed: int, play: Callable[[int, Story], Awaitable[None]]) -> list[Story]:
    """The story of each step, under one schedule of each chooser."""
    found: list[Story] = []
    for chooser in CHOOSERS:
        for step in range(1, MAX_STEPS):
            story = Story()
            run = simulate(partial(play, step, story), chooser=chooser(seed))
            if run.error is not None:
                raise run.error
            if not story.was_reached:
                break
            found.append(story)
    assert len(found) > 30 * len(CHOOSERS), "that much happens"
    return found


@pytest.mark.parametrize("how", ["leaves", "raises", "cancelled"])
def test_a_manager_that_goes_while_it_reconnects_changes_nothing(how: str) -> None:
    for story in stories(1, partial(leave, how)):
        assert (story.status, story.qemus, story.told) == ("running (booted)", 1, [])


@pytest.mark.parametrize("seed", [1, 3])
def test_a_qemu_that_is_killed_while_it_is_reconnected_to_has_ended_once(seed: int) -> None:
    for story in stories(seed, kill):
        assert (story.status, story.qemus) == ("shutoff (crashed)", 0)
        assert story.told == ["DomainStopped"]


@pytest.mark.parametrize("is_saved", [False, True], ids=["boots", "goes on"])
def test_a_start_whose_caller_gives_up_is_undone_or_comes_to_its_end(*, is_saved: bool) -> None:
    found = stories(1, partial(give_up, is_saved=is_saved))
    ends = {(story.status, story.qemus) for story in found}
    assert ends <= {("SHUTOFF", 0), ("RUNNING", 1)}
    assert ("SHUTOFF", 0) in ends
