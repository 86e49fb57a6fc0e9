"""Exports of block nodes, migration into nothing, dumps of memory."""

from __future__ import annotations

from random import Random
from typing import Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Pause, Step

# The run state follows the last event of a migration.
_AFTERMATH_S: Final = 0.2
_NOWHERE: Final = {"uri": "exec:cat > /dev/null"}


def _serve(random: Random, _scene: Scene) -> list[Step]:
    if random.random() < 0.3:
        return [Execute("nbd-server-stop")]
    address = {"type": "unix", "data": {"path": "$ROOT/nbd"}}
    return [Execute("nbd-server-start", {"addr": address})]


def _export(random: Random, scene: Scene) -> list[Step]:
    name = scene.fresh("export") if random.random() < 0.8 else scene.known(random, "export")
    node = f"exported{random.randint(0, 2)}"
    arguments = {"type": "nbd", "id": name, "node-name": node}
    if random.random() < 0.3:
        arguments["name"] = random.choice(("a", "b"))
    return [
        Execute("blockdev-add", {"driver": "null-co", "node-name": node}),
        Execute("block-export-add", arguments),
        Execute("query-block-exports"),
    ]


def _end(random: Random, scene: Scene) -> list[Step]:
    gone = Execute("block-export-del", {"id": scene.known(random, "export")})
    return [gone, Execute("blockdev-del", {"node-name": f"exported{random.randint(0, 2)}"})]


def _migrate(random: Random, _scene: Scene) -> list[Step]:
    # Without events nobody could tell when it is over.
    capability = {"capability": "events", "state": True}
    return [
        Execute("migrate-set-capabilities", {"capabilities": [capability]}),
        Execute("query-migrate"),
        Execute("stop"),
        Execute("migrate", _NOWHERE),
        Pause(_AFTERMATH_S),
        Execute("query-status"),
        Execute("migrate", _NOWHERE),
        Execute(random.choice(("cont", "stop", "system_reset", "query-status"))),
        Execute("query-status"),
    ]


def _dump(_random: Random, _scene: Scene) -> list[Step]:
    where = {"paging": False, "protocol": "file:/dev/null"}
    return [Execute("dump-guest-memory", where), Execute("query-dump"), Execute("query-status")]


def _generate(random: Random, scene: Scene) -> list[Step]:
    make = random.choice((_serve, _serve, _export, _export, _end, _migrate, _dump))
    return make(random, scene)


FAMILY = Family(name="saving", generate=_generate, weight=1, shapes=frozenset({"q35", "bare"}))
