"""Restart equivalence: a manager that crashes anywhere changes nothing but the time it takes.

The manager is a node; the machine, its QEMUs and their guests, the observer and the operator are
not, and go on. In one run the manager crashes right after the n-th thing that it did to the world:
a file written, a line appended, a command sent to a monitor, a process started or signalled, an
attribute of sysfs written. Between two such things nothing differs for anybody outside, so these
are all the places there are. It is started again at once, or after a while in which guests go on;
the operator repeats the request if it is not done; then all must be as the checker
`restart_equivalence` says, and as it is when nothing crashes. In further runs that one crashes
too, at each of its places.
"""

from __future__ import annotations

import attrs
import trio

from pyvirt_sim.checkers.restart_equivalence import NAME, PROMISE, Verdicts, boots_of, end_of, judge
from pyvirt_sim.engine import (
    Chooser,
    Node,
    PartialOrderSampling,
    Pct,
    Portfolio,
    RandomWalk,
    Run,
    note,
    simulate,
)
from pyvirt_sim.engine.choosers.portfolio import Member
from pyvirt_sim.engine.incarnation import is_dead_here
from pyvirt_sim.host import SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.prove.proof import Effort, Part, Proof
from pyvirt_sim.prove.restart_stories import STORIES, Story
from pyvirt_sim.prove.search import violation_of
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
"""Of one run."""

EFFORT = Effort()

COUNTS = ("crash_points", "crashes", "domains_lost", "events_lost_or_doubled", "devices_leaked")


class ManagerOnly:
    """What a crash of the manager's node takes away: the manager's process, not the machine."""

    def __init__(self, host: SimHost) -> None:
        self._host = host

    def crash(self) -> None:
        """Its locks and connections end with it."""
        self._host.end_manager()


@attrs.frozen
class Crash:
    """Where the manager crashes; nowhere by itself.

    Args:
        at: After the how many-th effect of the manager; 0: it does not crash.
        down_s: How long no manager runs then.
        also_at: After the how many-th effect of its successor that one crashes too; 0: not.
    """

    at: int = 0
    down_s: float = 0.0
    also_at: int = 0

    def __str__(self) -> str:
        again = f" and {self.also_at} of the next manager" if self.also_at else ""
        return f"{self.at}{again}, down for {self.down_s:g} s"


@attrs.define(eq=False)
class Trial:
    """One run of one story.

    Args:
        story: The story.
        crash: Where the manager crashes.

    Attributes:
        effects: What the present manager has done to the world, since the setting was made.
        crashed_after: The effects after which managers crashed.
        verdicts: What is wrong at the end; ``None`` while it is not reached.
        early: What was wrong when a successor had settled and nobody had asked it for anything.
        end: What the story comes to.
        received: What the observer was told.
        run: The run, once it is over.
    """

    story: Story
    crash: Crash = Crash()
    effects: list[str] = attrs.field(factory=list[str])
    crashed_after: list[str] = attrs.field(factory=list[str])
    verdicts: Verdicts | None = None
    early: Verdicts = attrs.field(factory=Verdicts)
    end: tuple[object, ...] = ()
    received: list[Record] = attrs.field(factory=list[Record])
    run: Run | None = None
    _cursor: Cursor | None = None
    _is_set: bool = False
    _boots: int = 0

    async def program(self) -> None:
        """The world, from its first moment to the judgement."""
        async with open_sim_host() as host:
            host.add_file("/boot/vmlinuz")
            host.add_pci_device(SimPciDevice(address=ADDRESS, driver="e1000e", iommu_group=7))
            manager = Node("manager", disk=ManagerOnly(host))
            host.on_effect = lambda what: self._count(manager, what)
            await manager.run(self._manage, host)

    def _count(self, manager: Node, what: str) -> None:
        if not self._is_set:
            return
        self.effects.append(what)
        crashes = len(self.crashed_after)
        wanted = (self.crash.at, self.crash.also_at)[min(crashes, 1)]
        if crashes < 2 and wanted and len(self.effects) == wanted:
            note("trial", f"crashes after: {what}")
            self.crashed_after.append(what)
            self.effects.clear()
            manager.crash(restart_after_s=self.crash.down_s)

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
                    self._boots = boots_of(host)
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
        # An operator who takes his time finds all in order.
        if self.crashed_after and self.crash.down_s:
            await trio.sleep(QUIET_S)
            self.early = self._judge(hypervisor, host)
        with trio.fail_after(PATIENCE_S):
            await self.story.request(hypervisor, host)

    def _judge(self, hypervisor: Hypervisor, host: SimHost) -> Verdicts:
        verdicts = judge(hypervisor, host, self.received, takes_device=self.story.takes_device)
        if self._boots and boots_of(host) != self._boots:
            verdicts.domains_lost.append("the guest was booted again, and has lost its memory")
        return verdicts

    async def _observe(self, events: Subscription) -> None:
        """Receive on the other side of the crash: what has arrived is not lost with the manager."""
        async for record in events:
            if not is_dead_here():
                self.received.append(record)
                self._cursor = events.cursor


def run_trial(trial: Trial, chooser: Chooser | None = None) -> str | None:
    """Run it, on the canonical schedule if nobody else chooses, and say what is wrong, if so."""
    run = trial.run = simulate(trial.program, chooser=chooser, max_steps=MAX_STEPS)
    if run.error is not None:
        return ": ".join(violation_of(run))
    if trial.verdicts is None:
        return "the story did not come to its end"
    return "; ".join([*trial.early.all, *trial.verdicts.all]) or None


def prove_story(story: Story, effort: Effort = EFFORT) -> Part:
    """Crash the manager of one story everywhere.

    Args:
        story: The story.
        effort: How many runs at most, and how many of them for each crash; the first of those is
            on the canonical schedule. A crash whose successor crashes as well has two at most.
    """
    schedules = effort.schedules_of_a_crash
    tally = _Tally(story, effort.schedules)
    plain = Trial(story)
    wrong = run_trial(plain)
    if wrong is not None:
        tally.violation = f"without any crash: {wrong}"
        return tally.part()
    tally.end = plain.end
    once = [Crash(at, down_s) for at in range(1, len(plain.effects) + 1) for down_s in DOWN_S]
    twice: list[Crash] = []
    for crash in once:
        effects = tally.try_crash(crash, schedules)
        twice += (attrs.evolve(crash, also_at=also_at) for also_at in range(1, effects + 1))
    for crash in twice:
        tally.try_crash(crash, min(schedules, 2))
    return tally.part()


def _schedules(seed: int) -> Portfolio:
    """The canonical schedule, then others; a run is short, so no search is worth its memory."""
    choosers = (RandomWalk(seed), PartialOrderSampling(seed), Pct(seed, 1), Pct(seed, 2))
    return Portfolio(members=[Member(type(one).__name__, one) for one in choosers])


@attrs.define
class _Tally:
    """What was tried of one story, and what came of it.

    Args:
        story: The story.
        limit: How many runs at most.

    Attributes:
        end: What the story comes to when nothing crashes.
        is_cut: Whether one more run was wanted.
    """

    story: Story
    limit: int
    end: tuple[object, ...] = ()
    is_cut: bool = False
    runs: int = 0
    counts: dict[str, int] = attrs.field(factory=lambda: dict.fromkeys(COUNTS, 0))
    violation: str | None = None
    tape: str = ""

    def try_crash(self, crash: Crash, schedules: int) -> int:
        """Let the manager crash there, under some schedules.

        Returns:
            How many effects its last successor had on the canonical schedule.
        """
        chooser = _schedules(self.counts["crash_points"])
        effects = 0
        for number in range(schedules):
            if self.runs == self.limit:
                self.is_cut = True
                break
            trial = Trial(self.story, crash)
            self._take(trial, run_trial(trial, chooser))
            if not number:
                self.counts["crash_points"] += 1
                effects = len(trial.effects)
        return effects

    def _take(self, trial: Trial, wrong: str | None) -> None:
        self.runs += 1
        self.counts["crashes"] += len(trial.crashed_after)
        self.counts["domains_lost"] += trial.verdicts is None
        for verdicts in (trial.early, trial.verdicts or Verdicts()):
            self.counts["domains_lost"] += len(verdicts.domains_lost)
            self.counts["events_lost_or_doubled"] += len(verdicts.events_wrong)
            self.counts["devices_leaked"] += len(verdicts.devices_leaked)
        if wrong is None and trial.end != self.end:
            wrong = f"it ends with {trial.end}, and with {self.end} when nothing crashes"
        if wrong is not None and self.violation is None:
            after = ", then ".join(trial.crashed_after)
            self.violation = f"crash at {trial.crash} (after: {after}): {wrong}"
            self.tape = "" if trial.run is None else trial.run.tape.to_text()

    def part(self) -> Part:
        """What it comes to."""
        return Part(
            name=self.story.name,
            runs=self.runs,
            classes=self.counts["crash_points"],
            steps=0,
            ended="stopped early" if self.is_cut else "every place was tried",
            is_complete=not self.is_cut,
            violation=self.violation,
            broken=None if self.violation is None else NAME,
            tape=self.tape,
            counts=self.counts,
        )


def story_named(name: str) -> Story:
    """The story called ``name``, which there is."""
    return next(story for story in STORIES if story.name == name)


def _prove(name: str, effort: Effort) -> Part:
    return prove_story(story_named(name), effort)


PROOF = Proof(
    name=NAME,
    summary=PROMISE,
    bound="every crash of the manager right after something it did to the world, and for each of "
    "them every such crash of its successor, with no time and with "
    f"{DOWN_S[1]:g} s until the next manager, each on the canonical schedule; and single crashes "
    f"on {EFFORT.schedules_of_a_crash - 1} others (--schedules-of-a-crash), double ones on one, "
    "which are samples and cover no more than that",
    parts=tuple(story.name for story in STORIES),
    search=_prove,
)
