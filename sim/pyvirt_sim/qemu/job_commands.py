"""The commands about jobs; each exists twice, for all jobs and, older, for block jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.jobs import Job, Jobs

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

_Do = Callable[[Jobs, Job, Arguments], None]


def _jobs(qemu: QemuProcess) -> Jobs:
    return qemu.machine.tree.jobs


def _verb(verb: str, do: _Do, *, member: str, is_block_job: bool) -> Handler:
    def run(qemu: QemuProcess, arguments: Arguments) -> None:
        jobs = _jobs(qemu)
        job = jobs.find(str(arguments[member]), verb, is_block_job=is_block_job)
        do(jobs, job, arguments)

    return run


_BOTH: Final[Mapping[str, _Do]] = {
    "pause": lambda jobs, job, _: jobs.pause(job),
    "resume": lambda jobs, job, _: jobs.resume(job),
    "complete": lambda jobs, job, _: jobs.complete(job),
    "finalize": lambda jobs, job, _: jobs.finalize(job),
    "dismiss": lambda jobs, job, _: jobs.dismiss(job),
}


def _older(verb: str, do: _Do) -> Handler:
    # The two that came last name the job as their newer twins do.
    member = "id" if verb in {"finalize", "dismiss"} else "device"
    return _verb(verb, do, member=member, is_block_job=True)


COMMANDS: Final[Mapping[str, Handler]] = {
    "blockdev-mirror": lambda qemu, a: _jobs(qemu).mirror(a),
    "block-stream": lambda qemu, a: _jobs(qemu).stream(a),
    "query-jobs": lambda qemu, _: _jobs(qemu).listing(),
    "query-block-jobs": lambda qemu, _: _jobs(qemu).block_listing(),
    **{
        f"job-{verb}": _verb(verb, do, member="id", is_block_job=False)
        for verb, do in _BOTH.items()
    },
    **{f"block-job-{verb}": _older(verb, do) for verb, do in _BOTH.items()},
    "job-cancel": _verb(
        "cancel",
        lambda jobs, job, _: jobs.cancel(job, by_force=True),
        member="id",
        is_block_job=False,
    ),
    "block-job-cancel": _older(
        "cancel", lambda jobs, job, a: jobs.cancel(job, by_force=bool(a.get("force", False)))
    ),
    "block-job-set-speed": _older(
        "set-speed", lambda jobs, job, a: jobs.set_speed(job, int(a["speed"]))
    ),
}
