"""Starting, stopping, resetting, sleeping, dying: the host's commands and the guest's doings."""

from __future__ import annotations

from random import Random
from typing import Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Burst, Execute, InGuest, Pause, Step, Terminate
from pyvirt_sim.conformance.shapes import SHAPES
from pyvirt_sim.qemu.events import PERIOD_S
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.qemu.run_state import CHOICES

_COMMANDS: Final = (
    *("cont", "stop", "query-status", "system_reset", "system_powerdown", "system_wakeup"),
)
_RATE_LIMIT_S: Final = PERIOD_S + 0.1
# These may end the machine, so most programs are spared them.
_DRASTIC: Final = frozenset({"power off", "hibernate", "panic", "let watchdog expire"})


def _command(random: Random, _scene: Scene) -> list[Step]:
    if random.random() < 0.15:
        return [Burst(tuple(Execute(random.choice(_COMMANDS)) for _ in range(3)))]
    return [Execute(random.choice(_COMMANDS)), Execute("query-status")]


def _set_action(random: Random, _scene: Scene) -> list[Step]:
    if random.random() < 0.3:
        choices = [*CHOICES["watchdog"], "nope"]
        choices.remove("debug")
        return [Execute("watchdog-set-action", {"action": random.choice(choices)})]
    kinds = random.sample(sorted(CHOICES), random.randint(0, 2))
    arguments = {kind: random.choice(CHOICES[kind]) for kind in kinds}
    if arguments.get("watchdog") == "debug":
        arguments["watchdog"] = "nope"
    return [Execute("set-action", arguments)]


def _act(random: Random, _scene: Scene) -> list[Step]:
    action = random.choice([action.value for action in GuestAction])
    if action in _DRASTIC and random.random() < 0.5:
        action = "reset"
    steps: list[Step] = [Execute("cont"), InGuest(action), Execute("query-status")]
    if action == "let watchdog expire":
        # At most one such event is sent a second, and the arms differ in how fast they go.
        steps.append(Pause(_RATE_LIMIT_S))
    if action == "suspend":
        steps.append(Execute(random.choice(("system_wakeup", "system_wakeup", "cont", "stop"))))
    return steps if random.random() < 0.7 else steps[1:]


def _on_any(random: Random, scene: Scene) -> list[Step]:
    if random.random() < 0.03:
        return [Terminate()]
    return random.choice((_command, _command, _set_action))(random, scene)


def _on_bare(random: Random, scene: Scene) -> list[Step]:
    if random.random() < 0.1:
        return [Execute("inject-nmi")]
    return random.choice((_command, _set_action, _act, _act, _act))(random, scene)


FAMILY = Family(name="run state", generate=_on_any)
GUEST_FAMILY = Family(
    name="guest",
    generate=_on_bare,
    shapes=frozenset(name for name, shape in SHAPES.items() if shape.guest == "bare"),
    weight=10,
)
