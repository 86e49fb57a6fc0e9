"""The life of a block job, as its events tell it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.block import Blocks
from pyvirt_sim.qemu.drives import Drives
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.jobs import Jobs
from tests.sim.qemu.board import EmptyWorld

# What may follow what, over all jobs (``JobSTT`` in QEMU's ``job.c``, of the states met here).
FOLLOWS = {
    None: {"created"},
    "created": {"running"},
    "running": {"ready", "waiting", "aborting"},
    "ready": {"standby", "waiting", "aborting"},
    "standby": {"ready"},
    "waiting": {"pending"},
    "pending": {"concluded", "aborting"},
    "aborting": {"concluded"},
    "concluded": {"null"},
    "null": {"created"},
}
ENDS = {"BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED"}
VERBS = ("pause", "resume", "complete", "finalize", "dismiss", "cancel")


class World:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.later: list[Any] = []
        self.blocks = Blocks(EmptyWorld())  # type: ignore[arg-type]  # as much of one as is used
        self.drives = Drives(self.blocks, self.emit, lambda _: None)
        self.jobs = Jobs(self.blocks, self.drives, self.emit, self.do_later)
        for name in ("a", "b", "c"):
            self.blocks.add({"driver": "null-co", "node-name": name, "size": 65536})

    def do_later(self, _seconds: float, action: Any) -> None:
        self.later.append(action)

    def emit(self, name: str, data: Any) -> None:
        self.events.append((name, dict(data)))

    def run(self, verb: str) -> None:
        job = self.jobs.find("job", verb, is_block_job=False)
        if verb == "cancel":
            self.jobs.cancel(job, by_force=True)
        else:
            getattr(self.jobs, verb)(job)

    def settle(self) -> None:
        while self.later:
            self.later.pop(0)()


START = {"job-id": "job", "device": "a", "target": "b", "sync": "full"}


@settings(deadline=None)
@given(
    verbs=st.lists(st.sampled_from((*VERBS, "start", "settle")), max_size=15),
    options=st.fixed_dictionaries({"auto-finalize": st.booleans(), "auto-dismiss": st.booleans()}),
)
def test_a_job_goes_only_from_states_to_states_that_may_follow(verbs, options):
    world = World()
    for verb in ("start", *verbs):
        try:
            if verb == "start":
                world.jobs.mirror(START | options)
            elif verb == "settle":
                world.settle()
            else:
                world.run(verb)
        except (QmpError, ModelGapError):
            continue
    world.settle()
    before = None
    for name, data in world.events:
        if name == "JOB_STATUS_CHANGE":
            assert data["status"] in FOLLOWS[before], (before, data)
            before = data["status"]
    ends = [name for name, _ in world.events if name in ENDS]
    concluded = [data for _, data in world.events if data.get("status") == "concluded"]
    assert len(ends) == len(concluded)
    assert bool(world.jobs.listing()) == (before not in {None, "null"})


def test_a_completed_mirror_tells_every_step():
    world = World()
    world.jobs.mirror(START)
    world.run("complete")
    world.settle()
    told = [data.get("status", name) for name, data in world.events]
    assert told == [
        *("created", "running", "ready", "BLOCK_JOB_READY", "waiting", "pending"),
        *("BLOCK_JOB_COMPLETED", "concluded", "null"),
    ]
    assert world.jobs.listing() == []


def test_nodes_of_a_job_cannot_be_deleted_until_it_has_ended():
    world = World()
    world.jobs.mirror(START)
    for name in ("a", "b"):
        try:
            world.blocks.delete(name)
        except QmpError:
            continue
        raise AssertionError(f"{name} was deleted")
    world.run("cancel")
    world.settle()
    world.blocks.delete("a")
    world.blocks.delete("b")
