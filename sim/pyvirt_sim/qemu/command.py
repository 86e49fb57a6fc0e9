"""What a QMP command is, to the tables that list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

Arguments = Mapping[str, Any]

Handler = Callable[["QemuProcess", Arguments], object]
"""Does a command, whose arguments agree with the schema, and returns the value of ``return``.

``None`` stands for the empty object. Events that it sends come before the reply. It raises
`QmpError` for what QEMU refuses, `ModelGapError` for what is not modelled.
"""
