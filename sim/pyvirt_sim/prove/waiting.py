"""Proofs of waiting: what a removal does when things come late, early, twice, or not at all.

Each `Case` is one paragraph of ``docs/explanation/waiting.md`` and one small scenario: a domain
with one device, and two or three calls whose steps are run in every order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import attrs
import trio

from pyvirt_sim.checkers.promise import Observation, require
from pyvirt_sim.prove.calls import Calls, attach, detach, request_detach
from pyvirt_sim.prove.judge import judge_books, judge_calls
from pyvirt_sim.prove.kinds import ALIAS, Kind, kind_named
from pyvirt_sim.prove.proof import Effort, Part, Proof
from pyvirt_sim.prove.search import BOUND, Window, search, watching
from pyvirt_sim.prove.stage import SETTLED_S, Stage, open_stage, qemu_of
from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_trio import (
    AlreadyExistsError,
    CommandFailedError,
    DeviceRemovalFailed,
    DeviceRemoved,
    DomainState,
    Impact,
    InvalidStateError,
    NotFoundError,
    Record,
    UnplugRefusedError,
)
from pyvirt_trio.driver import removal
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.life_core import LifeCore

CHECKER = "waiting"
RNG = kind_named("rng")
OTHER = "ua-other"
OTHER_XML = f"<input type='mouse' bus='usb'><alias name='{OTHER}'/></input>"
Scene = Callable[[Stage, Calls], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Case:
    """One thing that can happen to a removal.

    Args:
        name: As in ``waiting-NAME``.
        promise: What then holds, as the documentation says it.
        scene: Sets the scene, plays it inside ``calls.open()``, and judges it.
        is_release_late: Whether QEMU's release of the device is varied, too.
    """

    name: str
    promise: str
    scene: Scene
    is_release_late: bool = True

    async def play(self, window: Window, kind: Kind = RNG) -> None:
        """Play it once, in a world of its own."""
        async with open_stage(kind) as stage:
            _, events = stage.hypervisor.subscribe()
            await self.scene(stage, Calls(stage, window, events))

    def prove(self, limit: int) -> Part:
        """Play it under every schedule."""
        with watching() as watch:
            return search(self.name, self.play, watch, limit, is_release_late=self.is_release_late)


def _count(records: list[Record], kind: type) -> int:
    return sum(isinstance(record.event, kind) for record in records)


def _expect(question: str, expected: object, seen: object) -> None:
    promise = "What is documented of waiting for a removal holds."
    made = [Observation(question, str(expected), str(seen))]
    require(CHECKER, promise, "all is quiet", made)


def _guest_will(stage: Stage, answer: UnplugAnswer) -> None:
    qemu_of(stage.host).guest.unplug_answer = answer


def _eject(stage: Stage) -> None:
    """The guest lets go of the device, asked or not."""
    tree = qemu_of(stage.host).machine.tree
    device = tree.devices.get(ALIAS)
    if device is not None:
        tree.eject(device)


# -- late, and early -------------------------------------------------------------------------------


async def _late(stage: Stage, calls: Calls) -> None:
    await stage.domain.suspend()
    with calls.open():
        await calls.make(operator=request_detach, resumer=lambda _: stage.domain.resume())
    records = await calls.settle()
    judge_calls(calls.outcomes, {})
    _expect("how often is the removal announced?", 1, _count(records, DeviceRemoved))
    judge_books(stage, records)


@contextmanager
def _wire(carry: Callable[[str, Awaitable[object]], Awaitable[object]]) -> Generator[None]:
    """Every command to a monitor goes by ``carry``: its name, and what sends it and is replied."""
    execute = LifeCore.execute

    async def executed(
        self: LifeCore, command: str, arguments: Mapping[str, Any] | None = None
    ) -> object:
        return await carry(command, execute(self, command, arguments))

    LifeCore.execute = executed  # type: ignore[method-assign]
    try:
        yield
    finally:
        LifeCore.execute = execute  # type: ignore[method-assign]


def _late_reply(
    gate: trio.Event, error: CommandFailedError | None = None
) -> AbstractContextManager[None]:
    """The reply to ``device_del`` comes when ``gate`` opens; QEMU's events overtake it."""

    async def carry(command: str, reply: Awaitable[object]) -> object:
        result = await reply
        if command == "device_del":
            await gate.wait()
            if error is not None:
                raise error
        return result

    return _wire(carry)


async def _set(event: trio.Event) -> None:
    await trio.lowlevel.checkpoint()
    event.set()


async def _deleted_before_reply(stage: Stage, calls: Calls) -> None:
    gate = trio.Event()
    with _late_reply(gate), calls.open():
        await calls.make(operator=detach, wire=lambda _: _set(gate))
    records = await calls.settle()
    judge_calls(calls.outcomes, {})
    _expect("how often is the removal announced?", 1, _count(records, DeviceRemoved))
    judge_books(stage, records)


async def _error_after_deleted(stage: Stage, calls: Calls) -> None:
    gate = trio.Event()
    error = CommandFailedError("device_del", "GenericError", "a refusal that came too late")
    heard = trio.Event()
    deleted = removal.device_deleted

    def told(life: Life, alias: str) -> None:
        deleted(life, alias)
        heard.set()

    async def late() -> None:
        await heard.wait()
        gate.set()

    removal.device_deleted = told
    try:
        with _late_reply(gate, error), calls.open():
            await calls.make(operator=detach, wire=lambda _: late())
    finally:
        removal.device_deleted = deleted
    records = await calls.settle()
    judge_calls(calls.outcomes, {})
    _expect("how often is the removal announced?", 1, _count(records, DeviceRemoved))
    judge_books(stage, records)


# -- not found ------------------------------------------------------------------------------------


async def _not_found(stage: Stage, calls: Calls) -> None:
    async def eject(_: Stage) -> None:
        await trio.lowlevel.checkpoint()
        _eject(stage)

    with calls.open():
        await calls.make(operator=detach, guest=eject)
    records = await calls.settle()
    # When it is announced before the operator's call begins, there is nothing to detach.
    judge_calls(calls.outcomes, {"operator": (NotFoundError,)})
    _expect("how often is the removal announced?", 1, _count(records, DeviceRemoved))
    judge_books(stage, records)


async def _never_told(stage: Stage, calls: Calls) -> None:
    def lost(life: Life, alias: str) -> None:
        del life, alias

    deleted = removal.device_deleted
    removal.device_deleted = lost
    try:
        await request_detach(stage)
        await trio.sleep(SETTLED_S)
        with calls.open():
            await calls.make(operator=detach, second=detach)
    finally:
        removal.device_deleted = deleted
    records = await calls.settle()
    judge_calls(calls.outcomes, {})
    _expect("how often is the removal announced?", 1, _count(records, DeviceRemoved))
    judge_books(stage, records)


# -- refused --------------------------------------------------------------------------------------


async def _refused(stage: Stage, calls: Calls) -> None:
    _guest_will(stage, UnplugAnswer.REFUSE)
    with calls.open():
        await calls.make(operator=detach, second=request_detach)
    records = await calls.settle()
    raised = type(calls.outcomes["operator"])
    _expect("how does the waiting call end?", UnplugRefusedError, raised)
    judge_calls(calls.outcomes, {"operator": (UnplugRefusedError,)})
    refusals = _count(records, DeviceRemovalFailed)
    _expect("is each refusal of the guest announced?", True, refusals in (1, 2))
    judge_books(stage, records)
    _guest_will(stage, UnplugAnswer.ACKNOWLEDGE)
    await detach(stage)


async def _refused_late(stage: Stage, calls: Calls) -> None:
    _guest_will(stage, UnplugAnswer.REFUSE)
    await stage.domain.suspend()
    scope = trio.CancelScope()

    async def give_up(_: Stage) -> None:
        await trio.lowlevel.checkpoint()
        scope.cancel()

    async def operator(_: Stage) -> None:
        with scope:
            await detach(stage)

    with calls.open():
        await calls.make(operator=operator, impatience=give_up)
    asked = ALIAS in stage.domain.running_life().removals
    await stage.domain.resume()
    records = await calls.settle()
    judge_calls(calls.outcomes, {})
    _expect("how often is the refusal announced?", int(asked), _count(records, DeviceRemovalFailed))
    judge_books(stage, records)


async def _refused_then_deleted(stage: Stage, calls: Calls) -> None:
    _guest_will(stage, UnplugAnswer.REFUSE)

    async def after_all(_: Stage) -> None:
        await trio.lowlevel.checkpoint()
        _eject(stage)

    with calls.open():
        await calls.make(operator=detach, guest=after_all)
    records = await calls.settle()
    judge_calls(calls.outcomes, {"operator": (UnplugRefusedError, NotFoundError)})
    _expect("how often is the removal announced?", 1, _count(records, DeviceRemoved))
    judge_books(stage, records)


# -- the machine, the process, the domain ----------------------------------------------------------


async def _reset(stage: Stage, calls: Calls) -> None:
    _guest_will(stage, UnplugAnswer.IGNORE)
    await request_detach(stage)
    with calls.open():
        await calls.make(operator=detach, resetter=lambda _: stage.domain.reset())
    records = await calls.settle()
    # Who comes after the reset finds nothing to detach.
    judge_calls(calls.outcomes, {"operator": (NotFoundError,)})
    _expect("how often is the removal announced?", 1, _count(records, DeviceRemoved))
    judge_books(stage, records)


async def _dies(stage: Stage, calls: Calls) -> None:
    async def kill(_: Stage) -> None:
        await trio.lowlevel.checkpoint()
        stage.host.processes()[-1].kill()

    with calls.open():
        await calls.make(operator=detach, power=kill)
    records = await calls.settle()
    judge_calls(calls.outcomes, {"operator": (InvalidStateError,)})
    is_removed = calls.outcomes["operator"] is None
    announced = _count(records, DeviceRemoved)
    _expect("is a success announced?", True, announced == 1 or not is_removed)
    judge_books(stage, records)


async def _restarts(stage: Stage, calls: Calls) -> None:
    async def restart(_: Stage) -> None:
        await stage.domain.destroy()
        await stage.domain.start()

    with calls.open():
        await calls.make(operator=detach, rival=restart)
    records = await calls.settle()
    judge_calls(calls.outcomes, {"operator": (InvalidStateError, NotFoundError)})
    lives = [record.event.life for record in records if isinstance(record.event, DeviceRemoved)]
    _expect("is the removal announced of the life it was in?", True, lives in ([], [1]))
    _expect("does the new life run?", DomainState.RUNNING, stage.domain.status.state)
    _expect("is anything pending in the new life?", {}, stage.domain.running_life().removals)


# -- several at once ------------------------------------------------------------------------------


async def _job_held(stage: Stage, calls: Calls) -> None:
    async def hold(_: Stage) -> None:
        async with stage.domain.job.hold("a change"):
            before = stage.domain.view.live
            for _step in range(4):
                await trio.lowlevel.checkpoint()
                _expect("does the definition change under another's job?", False, _changed(before))

    def _changed(before: object) -> bool:
        return stage.domain.view.live is not before

    with calls.open():
        await calls.make(operator=detach, holder=hold)
    records = await calls.settle()
    judge_calls(calls.outcomes, {})
    _expect("how often is the removal announced?", 1, _count(records, DeviceRemoved))
    judge_books(stage, records)


async def _both_at_once(stage: Stage, calls: Calls) -> None:
    domain = stage.domain
    await domain.attach_device(stage.kind.device_xml, Impact.CONFIG)

    async def from_both(_: Stage) -> None:
        await domain.detach_device(ALIAS, Impact.LIVE | Impact.CONFIG)

    async def edit(_: Stage) -> None:
        await domain.detach_device(ALIAS, Impact.CONFIG)
        await domain.attach_device(OTHER_XML, Impact.CONFIG)

    with calls.open():
        await calls.make(operator=from_both, editor=edit)
    records = await calls.settle()
    judge_calls(calls.outcomes, {"operator": (NotFoundError,), "editor": (NotFoundError,)})
    is_asked = calls.outcomes["operator"] is None
    _expect("who finds it in the definition?", is_asked, calls.outcomes["editor"] is not None)
    announced = _count(records, DeviceRemoved)
    _expect("how often is the removal announced?", int(is_asked), announced)
    persistent = domain.view.persistent
    left = () if persistent is None else [one.alias for one in persistent.devices if one.alias]
    _expect("what was written last?", [OTHER] if not is_asked else [], [*left])
    judge_books(stage, records)


async def _two_detaches(stage: Stage, calls: Calls) -> None:
    journal = stage.domain.journal
    before = journal.sequence
    began_at: dict[str, int] = {}

    async def call(who: str) -> None:
        began_at[who] = journal.sequence
        await detach(stage)

    async def client(_: Stage) -> None:
        while not isinstance((await calls.events.receive()).event, DeviceRemoved):
            pass
        await attach(stage)

    with calls.open():
        await calls.make(operator=lambda _: call("o"), second=lambda _: call("s"), client=client)
    await trio.sleep(SETTLED_S)
    judge_calls(calls.outcomes, {"operator": (NotFoundError,), "second": (NotFoundError,)})
    # The removal is the first event, the coming of the next device the second: who began before
    # that meant the old device.
    if all(began < before + 2 for began in began_at.values()):
        _expect("is the device that came later still there?", True, stage.is_defined)


async def _attach_while_pending(stage: Stage, calls: Calls) -> None:
    _guest_will(stage, UnplugAnswer.IGNORE)
    await request_detach(stage)
    with calls.open():
        await calls.make(client=attach, operator=request_detach)
    records = await calls.settle()
    _expect("how does attaching end?", AlreadyExistsError, type(calls.outcomes["client"]))
    judge_calls(calls.outcomes, {"client": (AlreadyExistsError,)})
    _expect("what does QEMU have of it?", stage.with_device - stage.without, stage.held)
    _guest_will(stage, UnplugAnswer.ACKNOWLEDGE)
    await detach(stage)
    judge_books(stage, [*records, *await calls.settle()])


@contextmanager
def _commands() -> Generator[list[str]]:
    """The commands that monitors are sent meanwhile, also those that nobody waits for any more."""
    sent: list[str] = []

    async def carry(command: str, reply: Awaitable[object]) -> object:
        sent.append(command)
        return await reply

    with _wire(carry):
        yield sent


async def _cancelled(stage: Stage, calls: Calls) -> None:
    scope = trio.CancelScope()

    async def operator(_: Stage) -> None:
        with scope:
            await detach(stage)

    async def give_up(_: Stage) -> None:
        await trio.lowlevel.checkpoint()
        scope.cancel()

    with _commands() as sent:
        with calls.open():
            await calls.make(operator=operator, impatience=give_up)
        records = await calls.settle()  # the guest may be asked when nobody waits any more
    judge_calls(calls.outcomes, {})
    announced = _count(records, DeviceRemoved)
    _expect("how often is it announced?", int("device_del" in sent), announced)
    _expect("is a success announced?", True, announced == 1 or scope.cancelled_caught)
    judge_books(stage, records)


CASES: tuple[Case, ...] = (
    Case(
        name="late-deletion",
        promise="A guest that lets go long after the call has returned is heard all the same: the "
        "teardown is done and DeviceRemoved announced, once.",
        scene=_late,
    ),
    Case(
        name="deleted-before-reply",
        promise="DEVICE_DELETED that overtakes the reply to device_del counts; the call succeeds.",
        scene=_deleted_before_reply,
    ),
    Case(
        name="error-after-deleted",
        promise="An error in reply to device_del counts for nothing once DEVICE_DELETED has come.",
        scene=_error_after_deleted,
    ),
    Case(
        name="device-not-found",
        promise="When QEMU does not find the device, the guest has let go and DEVICE_DELETED is on "
        "its way; the call waits for it and succeeds.",
        scene=_not_found,
    ),
    Case(
        name="deletion-never-told",
        promise="When QEMU does not find the device and sends no DEVICE_DELETED within ten "
        "seconds, the device is taken for gone, as libvirt takes it at once.",
        scene=_never_told,
    ),
    Case(
        name="refused",
        promise="A guest's refusal is announced as DeviceRemovalFailed and ends the waiting calls "
        "with UnplugRefusedError; the device stays, and can be asked for again.",
        scene=_refused,
    ),
    Case(
        name="refused-late",
        promise="A refusal that comes when nobody waits any more is only announced.",
        scene=_refused_late,
    ),
    Case(
        name="refused-then-deleted",
        promise="A guest that refuses and then lets go has let go: the device is removed, once.",
        scene=_refused_then_deleted,
    ),
    Case(
        name="reset",
        promise="A reset of the machine completes what its guest had been asked for.",
        scene=_reset,
    ),
    Case(
        name="domain-dies",
        promise="When the QEMU process ends first, the call raises InvalidStateError and nothing "
        "is announced of the device.",
        scene=_dies,
        is_release_late=False,
    ),
    Case(
        name="domain-restarts",
        promise="A removal belongs to the life it began in: the next life of the domain neither "
        "hears of it nor loses a device to it.",
        scene=_restarts,
        is_release_late=False,
    ),
    Case(
        name="job-held",
        promise="While somebody else has the domain's job, nothing is torn down.",
        scene=_job_held,
    ),
    Case(
        name="both-at-once",
        promise="Where the running machine and the persistent definition are to lose a device, "
        "both do under one job: who does not find it in one has changed nothing of the other.",
        scene=_both_at_once,
    ),
    Case(
        name="two-detaches",
        promise="A second call for a device that is on its way out joins the first; it never "
        "reaches another device that has come under the same alias.",
        scene=_two_detaches,
    ),
    Case(
        name="attach-while-pending",
        promise="An alias is taken until the removal of its device is announced.",
        scene=_attach_while_pending,
    ),
    Case(
        name="caller-cancelled",
        promise="Who stops waiting leaves the request with the guest: the removal is announced "
        "exactly once when the guest lets go.",
        scene=_cancelled,
    ),
)
"""In the order of the documentation."""


def proofs() -> Iterator[Proof]:
    """One for each case."""
    for case in CASES:
        yield Proof(
            name=f"waiting-{case.name}",
            summary=case.promise,
            bound=BOUND,
            parts=(case.name,),
            search=partial(_prove, case),
        )


def _prove(case: Case, _: str, effort: Effort) -> Part:
    return case.prove(effort.schedules)


def case_named(name: str) -> Case:
    """The case called ``name``, which there is."""
    return next(case for case in CASES if case.name == name)
