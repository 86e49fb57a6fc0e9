"""Names of a module that mean something else during a run.

They are set when a run begins and set back when it ends, so that outside a run nothing has
changed, not even the identity of a function. What is put in their place must still ask the gate:
other threads meet it too, and a module imported during a run keeps what it took from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Swap"]


class Swap:
    """The names of one namespace, and what they mean during a run.

    A name that somebody else has already replaced when the run begins, say a test's own fake
    clock, stays theirs.
    """

    __slots__ = ("_namespace", "_originals", "_put", "_served")

    def __init__(self, namespace: dict[str, Any], served: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._served = dict(served)
        self._originals = {name: namespace[name] for name in served}
        self._put: dict[str, Any] = {}

    def enter(self) -> None:
        """Put the served meanings in place."""
        namespace = self._namespace
        self._put = {
            name: original
            for name, original in self._originals.items()
            if namespace[name] is original
        }
        if len(self._put) == len(self._served):
            namespace.update(self._served)
        else:
            namespace.update({name: self._served[name] for name in self._put})

    def leave(self) -> None:
        """Put the original meanings back."""
        self._namespace.update(self._put)
