"""What a QMP command is, to the tables that list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

Arguments = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Command:
    """One QMP command.

    Args:
        run: Does it and returns the value of ``return``; sends events that come before the reply.
        members: Names of its string arguments, all required; ``None`` when ``run`` checks its
            arguments itself.
        allows_oob: Whether it may be executed out of band.
    """

    run: Callable[[QemuProcess, Arguments], object]
    members: tuple[str, ...] | None = ()
    allows_oob: bool = False


def nothing(action: Callable[[QemuProcess, Arguments], object]) -> Callable[..., object]:
    """A command whose reply is empty."""

    def run(qemu: QemuProcess, arguments: Arguments) -> object:
        action(qemu, arguments)
        return {}

    return run
