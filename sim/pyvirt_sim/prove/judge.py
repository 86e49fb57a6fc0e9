"""What must hold in the stories of removal: when an event is heard, and when all is over."""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_sim.checkers.promise import Observation, require
from pyvirt_sim.checkers.removed_means_gone import CHECKER as REMOVED_MEANS_GONE
from pyvirt_sim.checkers.removed_means_gone import PROMISE, check_removed_means_gone
from pyvirt_sim.prove.stage import Stage
from pyvirt_trio import DeviceAdded, DeviceRemoved, DomainStopped, Record

BOOKS = "books-agree"
BOOKS_PROMISE = "When all is quiet, events, definition, QEMU and host tell the same."
CALLS = "calls-end-as-documented"
CALLS_PROMISE = "A call succeeds, or raises what its documentation names for the situation."


def judge_delivery(stage: Stage, record: Record, observer: str) -> None:
    """A removal that is heard of is over, unless the device has been asked back since.

    To be called in the step in which the event is received.
    """
    event = record.event
    if not isinstance(event, DeviceRemoved) or stage.is_back(record.sequence):
        return
    check_removed_means_gone(stage.hypervisor, event, stage.kind.source, observer)
    seen = [
        Observation("what does QEMU still have of it?", "nothing", _listed(stage.held)),
        Observation("is it in activeDevs?", "False", str(stage.is_active)),
    ]
    if stage.kind.source is not None:
        wanted = stage.kind.own_driver if stage.kind.is_managed else "vfio-pci"
        driver = stage.host.pci.devices[str(stage.kind.source)].bound_driver
        seen.append(Observation("which driver has the host device?", wanted, str(driver)))
    moment = f"{observer} receives DeviceRemoved({event.alias})"
    require(REMOVED_MEANS_GONE, PROMISE, moment, seen)


def judge_state(stage: Stage) -> None:
    """A processor that the domain does not report any more is gone.

    No event tells of it, so this is for every change of what the domain says of itself.
    """
    if stage.is_defined:
        return
    seen = [Observation("what does QEMU still have of it?", "nothing", _listed(stage.held))]
    moment = f"the domain reports {stage.kind.alias} offline"
    require(REMOVED_MEANS_GONE, PROMISE, moment, seen)


def judge_calls(
    outcomes: dict[str, BaseException | None], allowed: dict[str, tuple[type, ...]]
) -> None:
    """Each call succeeded or raised one of what is allowed to it."""
    seen = [
        Observation(
            f"how does {who}'s call end?",
            "as documented",
            "as documented"
            if error is None or isinstance(error, allowed.get(who, ()))
            else f"{type(error).__name__}: {error}",
        )
        for who, error in outcomes.items()
    ]
    require(CALLS, CALLS_PROMISE, "the last client is done", seen)


def judge_books(stage: Stage, records: Iterable[Record]) -> None:
    """The story is over: what was announced is what there is, and nothing is left over."""
    there = 1
    order = "alternating"
    has_stopped = False
    for record in records:
        if isinstance(record.event, DomainStopped):
            has_stopped = True
        change = isinstance(record.event, DeviceAdded) - isinstance(record.event, DeviceRemoved)
        there += change
        if there not in (0, 1) or (change and has_stopped):
            order = f"{type(record.event).__name__} out of turn"
    is_running = stage.domain.view.live is not None
    # Nobody is told of a processor: what the domain says of itself is what there is.
    is_there = stage.is_defined if stage.kind.is_vcpu else bool(there) and is_running
    held = "all" if stage.held == stage.with_device - stage.without else _listed(stage.held)
    seen = [
        Observation("in what order do additions and removals come?", "alternating", order),
        Observation("is the domain announced as stopped?", str(not is_running), str(has_stopped)),
        Observation("does the definition have it?", str(is_there), str(stage.is_defined)),
        Observation("what does QEMU have of it?", "all" if is_there else "nothing", held),
        Observation("is a job held?", "no", "no" if stage.domain.job.active is None else "yes"),
        Observation("is a removal pending?", "no", _pending(stage)),
    ]
    if stage.kind.source is not None or stage.kind.other is not None:
        seen.append(Observation("is it in activeDevs?", str(is_there), str(stage.is_active)))
    require(BOOKS, BOOKS_PROMISE, "all is quiet", seen)


def _pending(stage: Stage) -> str:
    if stage.domain.view.live is None:
        return "no"
    return "yes" if stage.kind.alias in stage.domain.running_life().removals else "no"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
