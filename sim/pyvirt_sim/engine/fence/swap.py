"""Names of a module that mean something else during a run.

They are set when a run begins and set back when it ends, so that outside a run nothing has
changed, not even the identity of a function. What is put in their place must still ask the gate:
other threads meet it too, and a module imported during a run keeps what it took from there.

Every run pays for this, so the names that programs hardly use are swapped for good when the first
run begins: private ones, and the functions of ``select`` and ``signal``. Outside a run their
stand-ins pass everything on.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

__all__ = ["Memory", "Swap"]


class Swap:
    """The names of one namespace, and what they mean during a run.

    A name that somebody else has already replaced when the run begins, say a test's own fake
    clock, stays theirs.
    """

    __slots__ = ("_current", "_namespace", "_originals", "_put", "_served", "_untouched")

    def __init__(self, namespace: dict[str, Any], served: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._served = dict(served)
        self._originals = {name: namespace[name] for name in served}
        self._current = itemgetter(*served)
        self._untouched = self._current(namespace)
        self._put = self._originals

    def enter(self) -> None:
        """Put the served meanings in place."""
        namespace = self._namespace
        if self._current(namespace) == self._untouched:
            self._put = self._originals
            namespace.update(self._served)
        else:
            self._put = {k: v for k, v in self._originals.items() if namespace[k] is v}
            namespace.update((name, self._served[name]) for name in self._put)

    def leave(self) -> None:
        """Put the original meanings back."""
        self._namespace.update(self._put)


class Memory:
    """What a module remembers between calls: the same when each run begins, then forgotten."""

    __slots__ = ("_name", "_namespace", "_saved", "_value")

    def __init__(self, namespace: dict[str, Any], name: str, value: object) -> None:
        self._namespace = namespace
        self._name = name
        self._value = value
        self._saved: Any = None

    def enter(self) -> None:
        """Put the memory of a new run in place."""
        self._saved = self._namespace[self._name]
        self._namespace[self._name] = self._value

    def leave(self) -> None:
        """Put back what was remembered before."""
        self._namespace[self._name] = self._saved
