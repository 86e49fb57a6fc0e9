"""Character devices, and the ports on them."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step


def _unix(path: str, **more: Any) -> dict[str, Any]:
    return {"addr": {"type": "unix", "data": {"path": path}}, **more}


_BACKENDS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("null", {}),
    ("null", {}),
    ("file", {"out": "$ROOT/out0"}),
    ("file", {"out": "$ROOT/nope/out"}),
    ("file", {"out": "$ROOT/out0", "append": True}),
    ("ringbuf", {}),
    ("ringbuf", {"size": 16}),
    ("ringbuf", {"size": 100}),
    ("ringbuf", {"size": 0}),
    ("testdev", {}),
    ("socket", _unix("$ROOT/s0", wait=False)),
    ("socket", _unix("$ROOT/s1", server=True, wait=False)),
    ("socket", _unix("$ROOT/nope/s", server=True, wait=False)),
    ("socket", _unix("$ROOT/none", server=False)),
    ("socket", _unix("$ROOT/none", server=False, wait=False)),
    ("socket", _unix("$ROOT/s2", server=True, wait=False, reconnect=3)),
    ("wrong", {}),
)


def _add(random: Random, scene: Scene) -> Step:
    kind, data = random.choice(_BACKENDS)
    names = (scene.fresh("chardev"), scene.known(random, "chardev"), "9lives", "monitor")
    name = random.choices(names, (12, 2, 1, 1))[0]
    return Execute("chardev-add", {"id": name, "backend": {"type": kind, "data": data}})


def _ask(random: Random, scene: Scene) -> Step:
    name = "monitor" if random.random() < 0.05 else scene.known(random, "chardev")
    data = random.choice(("hello", "", "a longer text than fits", "YWJj"))
    return random.choice(
        (
            Execute("chardev-remove", {"id": name}),
            Execute("chardev-remove", {"id": name}),
            Execute("chardev-send-break", {"id": name}),
            Execute("query-chardev"),
            Execute("query-chardev-backends"),
            Execute("query-yank"),
            Execute("ringbuf-write", {"device": name, "data": data}),
            Execute("ringbuf-read", {"device": name, "size": random.choice((3, 100, 0))}),
            Execute("ringbuf-read", {"device": name, "size": 50, "format": "base64"}),
        )
    )


def _generate(random: Random, scene: Scene) -> list[Step]:
    return [(_add if random.random() < 0.4 else _ask)(random, scene)]


FAMILY = Family(name="character devices", generate=_generate, weight=2)
