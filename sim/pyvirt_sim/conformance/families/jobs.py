"""Block jobs, from their start through every state to their end."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step

_VERBS: Final = ("pause", "resume", "complete", "finalize", "dismiss", "cancel")


def _node(_random: Random, scene: Scene) -> Step:
    size = _random.choice((65536, 65536, 65536, 65536, 1024))
    arguments = {"driver": "null-co", "node-name": scene.fresh("node"), "size": size}
    return Execute("blockdev-add", arguments)


def _start(random: Random, scene: Scene) -> Step:
    arguments: dict[str, Any] = {"device": scene.known(random, "node")}
    names = (scene.fresh("job"), scene.known(random, "job"), "9", None)
    name = random.choices(names, (12, 2, 1, 1))[0]
    if name is not None:
        arguments["job-id"] = name
    for option in ("auto-finalize", "auto-dismiss"):
        if random.random() < 0.3:
            arguments[option] = random.random() < 0.3
    if random.random() < 0.15:
        return Execute("block-stream", arguments)
    arguments["target"] = scene.known(random, "node")
    arguments["sync"] = random.choice(("full", "full", "top", "none"))
    return Execute("blockdev-mirror", arguments)


def _drive(random: Random, scene: Scene) -> Step:
    verb, name = random.choice(_VERBS), scene.known(random, "job")
    if random.random() < 0.6:
        return Execute(f"job-{verb}", {"id": name})
    member = "id" if verb in {"finalize", "dismiss"} else "device"
    arguments: dict[str, Any] = {member: name}
    if verb == "cancel" and random.random() < 0.5:
        arguments["force"] = random.random() < 0.7
    return Execute(f"block-job-{verb}", arguments)


def _ask(random: Random, scene: Scene) -> Step:
    return random.choice(
        (
            Execute("query-jobs"),
            Execute("query-block-jobs"),
            Execute("blockdev-del", {"node-name": scene.known(random, "node")}),
            Execute("block-job-set-speed", {"device": scene.known(random, "job"), "speed": 1000}),
        )
    )


def _held_at_the_end(random: Random, scene: Scene) -> list[Step]:
    """A mirror of fresh nodes that waits for its finalization."""
    nodes, job = [scene.fresh("node"), scene.fresh("node")], scene.fresh("job")
    steps: list[Step] = [
        Execute("blockdev-add", {"driver": "null-co", "node-name": node, "size": 65536})
        for node in nodes
    ]
    options = {"job-id": job, "sync": "full", "auto-finalize": False}
    mirror = {"device": nodes[0], "target": nodes[1], **options}
    end = random.choice(("job-complete", "block-job-cancel"))
    member = "id" if end == "job-complete" else "device"
    steps += [Execute("blockdev-mirror", mirror), Execute(end, {member: job})]
    return [*steps, Execute(random.choice(("job-finalize", "job-cancel")), {"id": job})]


def _generate(random: Random, scene: Scene) -> list[Step]:
    if len(scene.names.get("node", ())) < 3:
        return [_node(random, scene), _node(random, scene), _node(random, scene)]
    draw = random.random()
    if draw > 0.93:
        return _held_at_the_end(random, scene)
    if draw < 0.1:
        return [_node(random, scene)]
    make = _start if draw < 0.4 else _drive if draw < 0.85 else _ask
    return [make(random, scene)]


FAMILY = Family(name="jobs", generate=_generate, weight=3, shapes=frozenset({"q35", "q35-buses"}))
