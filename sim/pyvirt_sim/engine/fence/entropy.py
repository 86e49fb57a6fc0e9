"""Serve chance from the tape.

The first time a program asks for chance, one number is drawn from the stream ``entropy``; it
seeds generators for everything: one for the functions of ``random``, one for the bytes of
``os.urandom`` (and so for ``secrets``, ``uuid.uuid4`` and ``random.SystemRandom``), and a fresh one
for each ``random.Random()`` without a seed. One draw keeps the tape short; 0, the canonical one,
is a seed like any other, so that a shrunk run without a need for a certain seed has that one.

A generator that the program seeds itself is left alone, and ``random.seed(7)`` does what it says.
"""

from __future__ import annotations

import os
import random
import tempfile
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from pyvirt_sim.engine.fence.gate import gate
from pyvirt_sim.engine.fence.swap import Memory, Swap
from pyvirt_sim.engine.footprint import touch

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["SEEDS", "SERVED_CHANCE", "Entropy", "ServedRandom", "served_chance"]

# How many seeds there are. Enough never to meet one twice, few enough to be read aloud.
SEEDS: Final = 1_000_000
_original_seed: Final = random.Random.seed
_OS_BYTES: Final = tuple(name for name in ("getrandom", "urandom") if hasattr(os, name))
# The generator behind the functions of ``random``.
_hidden: Final[Any] = random._inst  # pyright: ignore[reportPrivateUsage]
# A locally administered address, which no network card has.
_NODE: Final = 0x020000000001


class Entropy:
    """The generators of one run."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self._seed: int | None = None
        self._fresh = 0
        self._shared: random.Random | None = None
        self._bytes: random.Random | None = None

    def _seed_of(self, purpose: str) -> str:
        """Return a seed; Python hashes it, so that no purpose resembles another."""
        touch("<chance>")  # who asks first gets the first number
        if self._seed is None:
            self._seed = self.execution.draw("entropy", "seed", SEEDS)
        return f"{purpose} {self._seed}"

    def functions(self) -> random.Random:
        """Return the generator behind the functions of ``random``."""
        touch("<chance>")
        if self._shared is None:
            self._shared = random.Random(self._seed_of("functions"))
        return self._shared

    def fresh_seed(self) -> str:
        """Return the seed of the next ``random.Random()`` that has none."""
        self._fresh += 1
        return self._seed_of(f"fresh {self._fresh}")

    def urandom(self, count: int) -> bytes:
        """Return ``count`` bytes."""
        touch("<chance>")
        if self._bytes is None:
            self._bytes = random.Random(self._seed_of("bytes"))
        return self._bytes.randbytes(count)


def _entropy() -> Entropy | None:
    execution = gate.execution
    return None if execution is None else execution.entropy


class ServedRandom(random.Random):
    """What the generator behind the functions of ``random`` is an instance of, during a run.

    Functions that were imported before the run (``from random import choice``) are bound to that
    generator and look up these methods, so they are served too. Only ``random`` and
    ``getrandbits`` are bound to C code once imported, and cannot be.
    """

    def random(self) -> float:
        """Return a number from 0 to below 1."""
        entropy = _entropy()
        return super().random() if entropy is None else entropy.functions().random()

    def getrandbits(self, k: int, /) -> int:
        """Return a number of ``k`` bits."""
        entropy = _entropy()
        return super().getrandbits(k) if entropy is None else entropy.functions().getrandbits(k)

    def seed(self, a: Any = None, version: int = 2) -> None:
        """Start over."""
        entropy = _entropy()
        if entropy is None:
            super().seed(a, version)
        else:
            entropy.functions().seed(a, version)

    def getstate(self) -> Any:
        """Return the state of this run's generator."""
        entropy = _entropy()
        return super().getstate() if entropy is None else entropy.functions().getstate()

    def setstate(self, state: Any) -> None:
        """Set the state of this run's generator."""
        entropy = _entropy()
        if entropy is None:
            super().setstate(state)
        else:
            entropy.functions().setstate(state)

    @property
    def gauss_next(self) -> float | None:
        """The second of the two numbers that ``gauss`` makes at a time."""
        entropy = _entropy()
        kept: Any = self.__dict__ if entropy is None else entropy.functions().__dict__
        return cast("float | None", kept.get("gauss_next"))

    @gauss_next.setter
    def gauss_next(self, value: float | None) -> None:
        entropy = _entropy()
        kept: Any = self.__dict__ if entropy is None else entropy.functions().__dict__
        kept["gauss_next"] = value


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    if a is None:
        entropy = _entropy()
        if entropy is not None:
            a = entropy.fresh_seed()
    _original_seed(self, a, version)


class _ServedBytes:
    """A function that returns random bytes; its bound method ``call`` takes its place."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def call(self, count: int, *args: Any, **options: Any) -> bytes:
        entropy = _entropy()
        if entropy is None:
            return cast("bytes", self.original(count, *args, **options))
        return entropy.urandom(count)


class ClassSwap:
    """Makes the generator behind ``random`` an instance of `ServedRandom` during a run."""

    def enter(self) -> None:
        """Serve."""
        _hidden.__class__ = ServedRandom

    def leave(self) -> None:
        """Stop serving."""
        _hidden.__class__ = random.Random


SERVED_CHANCE: Final = (
    "random.* (functions)",
    "random.Random() (without a seed)",
    "random.SystemRandom",
    "secrets.*",
    "os.urandom",
    "os.getrandom",
    "tempfile (names)",
    "uuid.getnode",
    "uuid.uuid1",
    "uuid.uuid4",
)


def served_chance(refusing: Mapping[str, Any]) -> list[Swap | Memory | ClassSwap]:
    """Return what to swap so that chance comes from the tape.

    Args:
        refusing: names of ``os`` to swap with them: each namespace costs every run a little.
    """
    random.Random.seed = _seed  # type: ignore[method-assign]
    _hidden.__class__ = ServedRandom
    functions = {
        name: getattr(_hidden, name)
        for name in ("getrandbits", "getstate", "random", "seed", "setstate")
    }
    _hidden.__class__ = random.Random
    os_bytes = {name: _ServedBytes(os.__dict__[name]).call for name in _OS_BYTES}
    return [
        ClassSwap(),
        Swap(random.__dict__, {**functions, "_urandom": os_bytes["urandom"]}),
        Swap(os.__dict__, {**os_bytes, **refusing}),
        Memory(uuid.__dict__, "_generate_time_safe", None),  # then Python makes them, from ours
        Memory(uuid.__dict__, "_last_timestamp", None),
        Memory(uuid.__dict__, "_node", _NODE),
        Memory(tempfile.__dict__, "_name_sequence", None),
    ]
