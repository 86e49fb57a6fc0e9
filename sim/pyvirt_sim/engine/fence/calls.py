"""Refuse the calls that Python does not report to audit hooks."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from socket import AI_NUMERICHOST, gaierror
from typing import Any, Final

from pyvirt_sim.engine.fence.blame import refuse
from pyvirt_sim.engine.fence.boundary import REFUSED_CALLS, Refusal
from pyvirt_sim.engine.fence.gate import gate

__all__ = ["RefusedCall", "refused_calls"]


class RefusedCall:
    """Stands in for a function that would leave the simulation.

    Its bound method ``call`` is what takes the function's place: like a builtin, and unlike a
    plain function, it does not turn into a method when a class keeps it as an attribute.
    """

    __slots__ = ("original", "refusal")

    def __init__(self, refusal: Refusal, original: Callable[..., Any]) -> None:
        self.refusal = refusal
        self.original = original

    def call(self, *args: Any, **options: Any) -> Any:
        """Refuse inside a run, pass on elsewhere."""
        __tracebackhide__ = True
        if gate.execution is not None:
            refuse(self.refusal)
        return self.original(*args, **options)


class _NameLookup(RefusedCall):
    """``getaddrinfo`` is arithmetic for numeric addresses, which Trio relies on."""

    __slots__ = ()

    def call(self, *args: Any, **options: Any) -> Any:
        """Refuse inside a run what cannot be answered without asking anybody."""
        __tracebackhide__ = True
        if gate.execution is not None:
            flags = args[5] if len(args) > 5 else options.get("flags", 0)
            options_of_numbers = {**options, "flags": flags | AI_NUMERICHOST}
            try:
                return self.original(*args[:5], **options_of_numbers)
            except gaierror:
                if flags & AI_NUMERICHOST:
                    raise
            refuse(self.refusal)
        return self.original(*args, **options)


class _Sleep(RefusedCall):
    """Blocking is refused in a task; in a worker thread it is what threads are for."""

    __slots__ = ()

    def call(self, *args: Any, **options: Any) -> Any:
        """Sleep in virtual time in a worker thread, else refuse inside a run."""
        __tracebackhide__ = True
        if gate.worker is not None and gate.execution is not None:
            gate.worker.sleep(*args, **options)
            return None
        return super().call(*args, **options)


# The calls that are refused only sometimes.
_SPECIAL: Final[dict[str, type[RefusedCall]]] = {
    "_socket.getaddrinfo": _NameLookup,
    "time.sleep": _Sleep,
}


def refused_calls() -> dict[str, dict[str, Any]]:
    """Return, by module, the names that refuse the calls of ``REFUSED_CALLS``."""
    refusing: dict[str, dict[str, Any]] = {}
    for full_name, refusal in REFUSED_CALLS.items():
        module, _, name = full_name.rpartition(".")
        namespace = vars(importlib.import_module(module))
        if name in namespace:  # not every Python has each of them
            kind = _SPECIAL.get(full_name, RefusedCall)
            refusing.setdefault(module, {})[name] = kind(refusal, namespace[name]).call
    return refusing
