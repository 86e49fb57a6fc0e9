"""Restart equivalence: a manager that crashes anywhere changes nothing but the time it takes.

The manager is a node; the machine, its QEMUs and their guests, the observer and the operator are
not, and go on. In one run the manager crashes right after the n-th thing that it did to the world:
a file written, a line appended, a command sent to a monitor, a process started or signalled, an
attribute of sysfs written. Between two such things nothing differs for anybody outside, so these
are all the places there are. It is started again at once, or after a while in which guests go on;
the operator repeats the request if it is not done; then all must be as `restart_judge` says, and as
it is when nothing crashes. In further runs that successor crashes as well, at each of its places.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import trio

from pyvirt_sim.engine import Node, note, simulate
from pyvirt_sim.engine.incarnation import is_dead_here
from pyvirt_sim.host import SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.prove.proof import Part, Proof
from pyvirt_sim.prove.restart_judge import Verdicts, end_of, judge
from pyvirt_sim.prove.restart_stories import STORIES, Story
from pyvirt_sim.scenarios.hot_unplug import ADDRESS
from pyvirt_trio import Hypervisor, Record, open_hypervisor
from pyvirt_trio.driver.journal import Subscription
from pyvirt_trio.models.events import Cursor

ROOT_URI = "qemu:///embed?root=/var/lib/vms"
DOWN_S = (0.0, 5.0)
"""How long no manager runs: too short for anything to happen, and long enough for every guest."""

QUIET_S = 20.0
"""Time given to what is still under way at the end, such as an unplug, before all is judged."""

PATIENCE_S = 100.0
"""How long the operator waits for a request; the longest takes some seconds."""

MAX_STEPS = 200_000
MAX_POINTS = 10_000
"""Bounds of one run and of one story; the longest story has some ninety places to crash at."""

COUNTS = ("crash_points", "domains_lost", "events_lost_or_doubled", "devices_leaked")


class _ManagerOnly:
    """What a crash of the manager's node takes away: the manager's process, not the machine."""

    def __init__(self, host: SimHost) -> None:
        self._host = host

    def crash(self) -> None:
        """Its locks and connections end with it."""
        self._host.end_manager()


@attrs.define(eq=False)
class Trial:
    """One run of one story.

    Args:
        story: The story.
        crash_at: After the how many-th effect of the manager it crashes; 0: it does not.
        down_s: How long no manager runs then.
        also_at: After the how many-th effect of its successor that one crashes too; 0: not.

    Attributes:
        effects: What the manager did to the world, once the setting was made.
        verdicts: What is wrong at the end; ``None`` while it is not reached.
        early: What was wrong when a successor had settled and nobody had asked it for anything.
        end: What the story comes to.
        received: What the observer was told.
    """

    story: Story
    crash_at: int = 0
    down_s: float = 0.0
    also_at: int = 0
    effects: list[str] = attrs.field(factory=list[str])
    verdicts: Verdicts | None = None
    early: Verdicts = attrs.field(factory=Verdicts)
    end: tuple[object, ...] = ()
    received: list[Record] = attrs.field(factory=list[Record])
    _cursor: Cursor | None = None
    _is_set: bool = False
    _crashes: int = 0

    async def program(self) -> None:
        """The world, from its first moment to the judgement."""
        async with open_sim_host() as host:
            host.add_file("/boot/vmlinuz")
            host.add_pci_device(SimPciDevice(address=ADDRESS, driver="e1000e", iommu_group=7))
            manager = Node("manager", disk=_ManagerOnly(host))
            host.on_effect = lambda what: self._count(manager, what)
            await manager.run(self._manage, host)

    def _count(self, manager: Node, what: str) -> None:
        if not self._is_set:
            return
        self.effects.append(what)
        wanted = (self.crash_at, self.also_at)[min(self._crashes, 1)]
        if self._crashes < 2 and wanted and len(self.effects) == wanted:
            note("trial", f"crashes after: {what}")
            self._crashes += 1
            self.effects.clear()
            manager.crash(restart_after_s=self.down_s)

    async def _manage(self, host: SimHost) -> None:
        """One life of the manager, with the operator and the observer at its side."""
        async with open_hypervisor(ROOT_URI, host=host) as hypervisor:
            if self._cursor is None:
                events = hypervisor.subscribe()[1]
                self._cursor = events.cursor
            else:
                events = hypervisor.resume(self._cursor)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._observe, events)
                if not self._is_set:
                    await self.story.setting(hypervisor, host)
                    self._is_set = True
                await self._until_done(hypervisor, host)
                await trio.sleep(QUIET_S)
                self.verdicts = self._judge(hypervisor, host)
                self.end = end_of(hypervisor, host)
                nursery.cancel_scope.cancel()

    async def _until_done(self, hypervisor: Hypervisor, host: SimHost) -> None:
        """The operator waits until its domains answer again, and asks for what is not done."""
        for domain in hypervisor.domains():
            async with domain.job.hold("look"):
                pass
        if self._crashes and self.down_s:  # an operator who takes his time finds all in order
            await trio.sleep(QUIET_S)
            self.early = self._judge(hypervisor, host)
        with trio.fail_after(PATIENCE_S):
            await self.story.request(hypervisor, host)

    def _judge(self, hypervisor: Hypervisor, host: SimHost) -> Verdicts:
        return judge(hypervisor, host, self.received, takes_device=self.story.takes_device)

    async def _observe(self, events: Subscription) -> None:
        """Receive on the other side of the crash: what has arrived is not lost with the manager."""
        async for record in events:
            if not is_dead_here():
                self.received.append(record)
                self._cursor = events.cursor


def run_trial(trial: Trial) -> str | None:
    """Run it, and say what is wrong, if anything is."""
    run = simulate(trial.program, max_steps=MAX_STEPS)
    if run.error is not None:
        return f"{type(run.error).__name__}: {run.error}"
    if trial.verdicts is None:
        return "the story did not come to its end"
    return "; ".join([*trial.early.all, *trial.verdicts.all]) or None


def prove_story(story: Story, points: int = MAX_POINTS) -> Part:
    """Crash the manager of one story everywhere, ``points`` times at most."""
    plain = Trial(story)
    wrong = run_trial(plain)
    if wrong is not None:
        return _part(story, [], f"without any crash: {wrong}", is_complete=False)
    tried: list[Trial] = []
    violation: str | None = None
    for trial in _trials(story, len(plain.effects)):
        if len(tried) == points:
            return _part(story, tried, violation, is_complete=False)
        tried.append(trial)
        wrong = run_trial(trial)
        if wrong is None and trial.end != plain.end:
            wrong = f"it ends with {trial.end}, and with {plain.end} when nothing crashes"
        if wrong is not None:
            violation = violation or f"{_where(trial, plain)}: {wrong}"
    return _part(story, tried, violation, is_complete=True)


def _trials(story: Story, effects: int) -> Iterator[Trial]:
    """Crash at each place, first once, and then the successor too, at each of its own."""
    once = [
        Trial(story, crash_at, down_s) for crash_at in range(1, effects + 1) for down_s in DOWN_S
    ]
    yield from once
    for first in once:  # each has run by now, and knows what its last manager did
        for also_at in range(1, len(first.effects) + 1):
            yield Trial(story, first.crash_at, first.down_s, also_at)


def _where(trial: Trial, plain: Trial) -> str:
    what = plain.effects[trial.crash_at - 1]
    again = f" and {trial.also_at} of the next manager" if trial.also_at else ""
    return f"crash at {trial.crash_at} ({what}){again}, down for {trial.down_s:g} s"


def _part(story: Story, tried: list[Trial], violation: str | None, *, is_complete: bool) -> Part:
    ended = [trial.verdicts for trial in tried if trial.verdicts is not None]
    found = [*ended, *(trial.early for trial in tried)]
    counted = (
        len(tried),
        sum(len(one.domains_lost) for one in found) + len(tried) - len(ended),
        sum(len(one.events_wrong) for one in found),
        sum(len(one.devices_leaked) for one in found),
    )
    return Part(
        name=story.name,
        runs=len(tried),
        classes=len(tried),
        steps=0,
        ended=f"every place was tried, {len(tried)} times" if is_complete else "stopped early",
        is_complete=is_complete,
        violation=violation,
        broken=None if violation is None else "restart-equivalence",
        counts=dict(zip(COUNTS, counted, strict=True)),
    )


def story_named(name: str) -> Story:
    """The story called ``name``, which there is."""
    return next(story for story in STORIES if story.name == name)


def _prove(name: str, points: int) -> Part:
    return prove_story(story_named(name), points)


PROOF = Proof(
    name="restart-equivalence",
    summary="A manager that crashes anywhere loses no domain, no event and no host device.",
    bound="every crash of the manager right after something it did to the world, and for each of "
    "them every such crash of its successor, with no time and with "
    f"{DOWN_S[1]:g} s until the next manager, on one schedule each",
    parts=tuple(story.name for story in STORIES),
    search=_prove,
)
