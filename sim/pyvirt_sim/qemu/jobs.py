"""Block jobs: their states, the commands each state takes, and the events on the way.

A job here is a mirror between two nodes of no contents, or a stream. QEMU finishes the copying of a
mirror, and of a stream of a node without a backing file, before it answers the command that starts
it; a stream of an image that has another one behind it takes as long as its speed says. What is
left is the life of a job, as a management program drives it: ready, paused, completed, cancelled,
finalized, dismissed. A mirror that completes puts its target in the place of its source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.block import Blocks, Node
from pyvirt_sim.qemu.drives import Drives
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.text import is_identifier

# Larger nodes take QEMU longer than the command that starts the job.
_MAX_BYTES: Final = 1 << 20
_ALIVE: Final = frozenset({"ready", "standby"})
_CHUNK_BYTES: Final = 512 << 10  # that a stream copies at a time
# Command -> the states that take it.
_VERBS: Final[Mapping[str, frozenset[str]]] = {
    "cancel": _ALIVE | {"pending", "running"},
    "pause": _ALIVE | {"running"},
    "resume": _ALIVE,
    "set-speed": _ALIVE | {"running"},
    "complete": _ALIVE,
    "finalize": frozenset({"pending"}),
    "dismiss": frozenset({"concluded"}),
}
_OPTIONS: Final = frozenset({"job-id", "device", "target", "sync", "auto-finalize", "auto-dismiss"})
_STREAM_OPTIONS: Final = _OPTIONS | {"speed"}


@attrs.define(eq=False)
class Job:
    """A block job.

    Args:
        id: Its name.
        kind: ``mirror`` or ``stream``.
        source: The node it reads.
        target: The node it writes, ``None`` for a stream.
        is_finalized_alone: Whether it needs no ``job-finalize``.
        is_dismissed_alone: Whether it needs no ``job-dismiss``.
        status: QEMU's name of its state.
        length: How many bytes it copies.
        done: How many of them it has copied.
        speed: The limit a monitor has set.
        is_paused: Whether a monitor has paused it.
        is_ending: Whether it was told to end, and has not got that far.
        pivots: Whether its end puts the target in the place of the source.
        error: Why it failed.
    """

    id: str
    kind: str
    source: Node
    target: Node | None
    is_finalized_alone: bool
    is_dismissed_alone: bool
    status: str = "created"
    length: int = 0
    done: int = 0
    speed: int = 0
    is_paused: bool = False
    is_ending: bool = False
    pivots: bool = False
    error: str | None = None


class Jobs:
    """The block jobs of one machine.

    Args:
        blocks: Its nodes.
        drives: Its drives.
        emit: Sends one event.
        later: Does something once the reply of the present command is on its way, or so many
            seconds after it.
    """

    def __init__(
        self,
        blocks: Blocks,
        drives: Drives,
        emit: Callable[[str, Mapping[str, Any] | None], None],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._blocks = blocks
        self._drives = drives
        self._emit = emit
        self._later = later
        self._jobs: dict[str, Job] = {}

    # -- starting -----------------------------------------------------------------------------

    def mirror(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``blockdev-mirror``.

        Raises:
            QmpError: The nodes or the name will not do.
        """
        source = self._root(str(arguments["device"]))
        target = self._node(str(arguments["target"]))
        if arguments.keys() - _OPTIONS or arguments["sync"] not in {"full", "top", "none"}:
            raise ModelGapError("mirrors with these options are not modelled")
        if source is target:
            raise QmpError("Can't mirror node into itself")
        _check_idle(target)
        name = self._name(arguments)
        self._check_plain(source, target)
        job = self._begin(arguments, name, "mirror", source, target)
        if source.size != target.size:
            self._later(0, lambda: self._fail(job, "Source and target image have different sizes"))
            return
        job.length = job.done = source.size if arguments["sync"] == "full" else 0
        self._move(job, "ready")
        self._emit("BLOCK_JOB_READY", _facts(job))

    def stream(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``block-stream`` of a node: without a backing file there is nothing to do.

        Raises:
            QmpError: The node or the name will not do.
        """
        source = self._node(str(arguments["device"]))
        if arguments.keys() - _STREAM_OPTIONS or source.parents:
            raise ModelGapError("streams with these options are not modelled")
        _check_idle(source)
        name = self._name(arguments)
        if source.is_read_only:
            raise ModelGapError(f"streaming to {source.name}, which is read-only, is not modelled")
        job = self._begin(arguments, name, "stream", source, None)
        job.speed = int(arguments.get("speed", 0))
        job.length = self._blocks.bytes_behind(source)
        if job.length:
            self._later(0, lambda: self._copy(job))
        else:
            self._succeed(job)

    def _copy(self, job: Job) -> None:
        """A stream copies its next part, unless it was cancelled."""
        if job.status != "running":
            return
        job.done = min(job.done + _CHUNK_BYTES, job.length)
        if job.done == job.length:
            job.source.is_whole = True
            self._succeed(job)
        else:
            self._later(_CHUNK_BYTES / job.speed if job.speed else 0, lambda: self._copy(job))

    def _begin(
        self,
        arguments: Mapping[str, Any],
        name: str,
        kind: str,
        source: Node,
        target: Node | None,
    ) -> Job:
        is_finalized_alone = bool(arguments.get("auto-finalize", True))
        is_dismissed_alone = bool(arguments.get("auto-dismiss", True))
        job = Job(name, kind, source, target, is_finalized_alone, is_dismissed_alone)
        self._jobs[name] = job
        source.job_kind = kind
        if target is not None:
            target.job_kind, target.is_job_target = kind, True
        self._move(job, "created")
        self._move(job, "running")
        return job

    def _node(self, name: str) -> Node:
        node = self._blocks.get(name)
        if node is None:
            raise QmpError(f"Cannot find device='{name}' nor node-name='{name}'")
        return node

    def _root(self, name: str) -> Node:
        node = self._node(name)
        if node.parents or node.job_kind:
            raise QmpError("Need a root block node")
        return node

    def _name(self, arguments: Mapping[str, Any]) -> str:
        name = str(arguments.get("job-id", ""))
        if not is_identifier(name):
            raise QmpError(f"Invalid job ID '{name}'")
        if name in self._jobs:
            raise QmpError(f"Job ID '{name}' already in use")
        return name

    def _check_plain(self, *nodes: Node) -> None:
        for node in nodes:
            if not node.driver.startswith("null") or node.size > _MAX_BYTES or node.is_read_only:
                raise ModelGapError(f"block jobs on a node like {node.name} are not modelled")
        for node in nodes[1:]:
            if node.users or node.parents:
                raise ModelGapError(f"mirroring to {node.name}, which is in use, is not modelled")

    # -- driving ------------------------------------------------------------------------------

    def find(self, name: str, verb: str, *, is_block_job: bool) -> Job:
        """The job that a command is about.

        Args:
            name: Its id.
            verb: What the command does, a key of the table of states.
            is_block_job: Whether the command is of the older family, ``block-job-...``.

        Raises:
            QmpError: There is none, or its state does not take that.
        """
        job = self._jobs.get(name)
        if job is None and is_block_job:
            raise QmpError(f"Block job '{name}' not found", "DeviceNotActive")
        if job is None:
            raise QmpError("Job not found")
        if verb == "resume" and not job.is_paused:
            raise QmpError("Can't resume a job that was not paused")
        if job.status not in _VERBS[verb]:
            raise QmpError(
                f"Job '{job.id}' in state '{job.status}' cannot accept command verb '{verb}'"
            )
        return job

    def pause(self, job: Job) -> None:
        """QMP ``job-pause``."""
        if job.is_paused:
            raise QmpError("Job is already paused")
        if job.is_ending or job.status == "running":
            raise ModelGapError("pausing a job that copies or is about to end is not modelled")
        job.is_paused = True
        self._move(job, "standby")

    def resume(self, job: Job) -> None:
        """QMP ``job-resume``."""
        job.is_paused = False
        self._move(job, "ready")
        if job.is_ending:
            self._later(0, lambda: self._succeed(job))

    def set_speed(self, job: Job, speed: int) -> None:
        """QMP ``block-job-set-speed``."""
        if speed < 0:
            raise QmpError("Parameter 'speed' expects a non-negative value")
        job.speed = speed

    def complete(self, job: Job) -> None:
        """QMP ``job-complete``: the target takes the place of the source."""
        if job.is_ending:
            raise ModelGapError("completing a job twice is not modelled")
        job.pivots = job.is_ending = True
        if not job.is_paused:
            self._later(0, lambda: self._succeed(job))

    def cancel(self, job: Job, *, by_force: bool) -> None:
        """QMP ``job-cancel``, by force, and ``block-job-cancel``, which lets a mirror end well."""
        if job.status == "pending":
            if not by_force:
                raise ModelGapError("cancelling a pending job gently is not modelled")
            self._fail(job, "Operation canceled", is_cancelled=True)
            return
        if job.status == "running":  # it sleeps until it may copy more, and is woken at once
            self._fail(job, "Operation canceled", is_cancelled=True)
            return
        if job.is_paused or job.is_ending:
            raise ModelGapError("cancelling a paused or completing job is not modelled")
        job.is_ending = True
        if by_force:
            self._later(0, lambda: self._fail(job, "Operation canceled", is_cancelled=True))
        else:
            self._later(0, lambda: self._succeed(job))

    def finalize(self, job: Job) -> None:
        """QMP ``job-finalize``."""
        self._conclude(job)

    def dismiss(self, job: Job) -> None:
        """QMP ``job-dismiss``."""
        job.source.job_kind = None
        self._move(job, "null")
        del self._jobs[job.id]

    # -- what the machine does to all ---------------------------------------------------------

    def drain(self) -> None:
        """The machine stands still for a moment, and so does every job that runs."""
        running = [job for job in self._jobs.values() if job.status == "ready"]
        if running and self._copying():
            raise ModelGapError("stopping beside a job that is ready and one that copies")
        self._rest()
        for job in running:
            self._move(job, "ready")
        self._interrupt(self._copying())

    def devices_stop(self) -> None:
        """The devices pass on nothing for a moment: what copies behind a virtio disk rests."""
        copying = self._copying()
        if not all(user.is_virtio for job in copying for user in job.source.users):
            raise ModelGapError("stopping a job that copies behind such a disk is not modelled")
        self._interrupt([job for job in copying if job.source.users])

    def _copying(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.status == "running"]

    def _interrupt(self, copying: list[Job]) -> None:
        for job in copying:
            self._move(job, "paused")
            self._move(job, "running")

    def _rest(self) -> None:
        """Every job that runs pauses: QEMU goes through the nodes, the oldest first."""
        for node in self._blocks.all()[::-1]:
            for job in self._jobs.values():
                if job.status == "ready" and node in (job.source, job.target):
                    self._move(job, "standby")

    def check_start(self) -> None:
        """Refuse to start the processors beside a job: QEMU may let it rest on the way, or not."""
        if any(job.status == "ready" for job in self._jobs.values()):
            raise ModelGapError("starting the processors while a block job is ready")

    def shut_down(self) -> None:
        """QEMU ends: every job is cancelled or forgotten, the newest first."""
        self._rest()
        for job in list(self._jobs.values())[::-1]:
            job.is_dismissed_alone = True
            if job.status == "concluded":
                self.dismiss(job)
                continue
            if job.status == "standby":
                self._move(job, "ready")
            elif job.status == "running":
                self._interrupt([job])
            self._fail(job, "Operation canceled", is_cancelled=True)

    # -- the way to the end -------------------------------------------------------------------

    def _succeed(self, job: Job) -> None:
        self._move(job, "waiting")
        self._move(job, "pending")
        if job.is_finalized_alone:
            self._conclude(job)
        else:
            self._emit("BLOCK_JOB_PENDING", {"type": job.kind, "id": job.id})

    def _conclude(self, job: Job) -> None:
        if job.pivots and job.target is not None:
            self._drives.move(job.source, job.target)
        self._release(job)
        self._emit("BLOCK_JOB_COMPLETED", _facts(job))
        self._end(job)

    def _fail(self, job: Job, error: str, *, is_cancelled: bool = False) -> None:
        job.error = error
        self._move(job, "aborting")
        self._release(job)
        if is_cancelled:
            self._emit("BLOCK_JOB_CANCELLED", _facts(job))
        else:
            self._emit("BLOCK_JOB_COMPLETED", {**_facts(job), "error": error})
        self._end(job)

    def _end(self, job: Job) -> None:
        self._move(job, "concluded")
        if job.is_dismissed_alone:
            self.dismiss(job)

    def _release(self, job: Job) -> None:
        # A stream keeps its node until it is dismissed.
        if job.target is not None:
            job.source.job_kind = job.target.job_kind = None
            job.target.is_job_target = False

    def _move(self, job: Job, status: str) -> None:
        job.status = status
        self._emit("JOB_STATUS_CHANGE", {"id": job.id, "status": status})

    # -- queries ------------------------------------------------------------------------------

    def listing(self) -> list[dict[str, Any]]:
        """QMP ``query-jobs``."""
        return [
            {
                "id": job.id,
                "type": job.kind,
                "status": job.status,
                "current-progress": job.done,
                "total-progress": job.length,
                **({} if job.error is None else {"error": job.error}),
            }
            for job in self._newest_first()
        ]

    def block_listing(self) -> list[dict[str, Any]]:
        """QMP ``query-block-jobs``."""
        return [
            {
                "device": job.id,
                "type": job.kind,
                "status": job.status,
                "len": job.length,
                "offset": job.done,
                "speed": job.speed,
                "busy": False,
                "paused": job.is_paused,
                "ready": job.status in _ALIVE,
                "io-status": "ok",
                "auto-finalize": job.is_finalized_alone,
                "auto-dismiss": job.is_dismissed_alone,
                **({} if job.error is None else {"error": job.error}),
            }
            for job in self._newest_first()
        ]

    def _newest_first(self) -> list[Job]:
        return list(self._jobs.values())[::-1]


def _check_idle(node: Node) -> None:
    """Refuse a node that a job has already."""
    if node.job_kind is not None:
        raise QmpError(
            f"Node '{node.name}' is busy: block device is in use by block job: {node.job_kind}"
        )


def _facts(job: Job) -> dict[str, Any]:
    """What every event about a block job says."""
    progress = {"len": job.length, "offset": job.done, "speed": job.speed}
    return {"type": job.kind, "device": job.id, **progress}
