"""Objects made and deleted by a monitor."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step

_MIB: Final = 1 << 20
# Type -> properties to draw from; values that QEMU refuses among them.
_KINDS: Final[dict[str, dict[str, tuple[Any, ...]]]] = {
    "rng-random": {"filename": ("/dev/urandom", "/dev/random", "/nope", "")},
    "rng-builtin": {},
    "memory-backend-ram": {
        "size": (_MIB, 2 * _MIB, 4096, 4095, 0),
        "share": (True, False),
        "merge": (True, False),
        "dump": (True, False),
        "prealloc": (True, False),
        "policy": ("default", "bind", "preferred", "interleave", "wrong"),
        "host-nodes": ([0], [], "x"),
    },
    "memory-backend-file": {
        "size": (_MIB, 8192, 0),
        "mem-path": ("$ROOT/ram0", "$ROOT/ram1", "/nope/ram", "$ROOT/nope/ram"),
        "share": (True, False),
    },
    "memory-backend-memfd": {"size": (_MIB, 4096, 0), "share": (True, False)},
    "secret": {
        "data": ("letmein", "YWJj", "!!!!", ""),
        "file": ("/nope",),
        "format": ("raw", "base64", "hex"),
        "keyid": ("object0", "nope"),
        "iv": ("YWJj",),
    },
    "iothread": {
        "poll-max-ns": (0, 32768, -1),
        "poll-grow": (0, 4, -5),
        "poll-shrink": (0, 2),
        "aio-max-batch": (0, 16, -1),
    },
    "throttle-group": {
        "limits": (
            {},
            {"iops-total": 100},
            {"iops-total": 100, "iops-read": 1},
            {"bps-read-max": 10},
            {"bps-read": 100, "bps-read-max": 10},
            {"bps-write": 5, "bps-write-max-length": 0},
            {"iops-write-max-length": 5},
            {"iops-size": 4096},
            {"bps-total": 1 << 60},
        )
    },
    "authz-simple": {"identity": ("fred",)},
    "authz-list": {"policy": ("allow", "deny", "maybe")},
}


def _add(random: Random, scene: Scene) -> Step:
    kind = random.choice(list(_KINDS))
    arguments: dict[str, Any] = {"qom-type": kind}
    for name, values in _KINDS[kind].items():
        if random.random() < (0.85 if name in {"size", "mem-path", "data", "identity"} else 0.25):
            arguments[name] = random.choice(values)
    names = (scene.fresh("object"), scene.known(random, "object"), "9lives", "")
    arguments["id"] = random.choices(names, (12, 3, 1, 1))[0]
    return Execute("object-add", arguments)


def _generate(random: Random, scene: Scene) -> list[Step]:
    draw = random.random()
    if draw < 0.6:
        return [_add(random, scene)]
    if draw < 0.85:
        name = "pc.ram" if random.random() < 0.1 else scene.known(random, "object")
        return [Execute("object-del", {"id": name})]
    return [Execute(random.choice(("query-memdev", "query-iothreads")))]


FAMILY = Family(name="objects", generate=_generate, weight=2)
