"""How a bug is put in place: named parts are replaced for the length of a block."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from pyvirt_trio.driver.journal import Commit
from pyvirt_trio.driver.removal import REMOVAL_TABLE, RecordStep, Removal, Step, WorkStep
from pyvirt_trio.models.devices import Device

Planting = Callable[[], AbstractContextManager[None]]


def replacing(*parts: tuple[object, str, Any]) -> Planting:
    """Replace attributes of classes or modules.

    Args:
        parts: Of what, which, and by what.

    Raises:
        AttributeError: (when planted) There is no such part: the code has moved on.
    """

    @contextmanager
    def planted() -> Generator[None]:
        found = [(_owner(owner, name), name, wrong) for owner, name, wrong in parts]
        correct = [vars(owner)[name] for owner, name, _ in found]
        for owner, name, wrong in found:
            setattr(owner, name, wrong)
        try:
            yield
        finally:
            for (owner, name, _), right in zip(found, correct, strict=True):
                setattr(owner, name, right)

    return planted


def _owner(owner: object, name: str) -> object:
    """Who has the part in its own namespace: a module, a class, or one that it inherits from."""
    for candidate in owner.__mro__ if isinstance(owner, type) else (owner,):
        if name in vars(candidate):
            return candidate
    raise AttributeError(f"{owner!r} has no {name!r} to replace")


def with_row(kind: type[Device], *steps: Step) -> Planting:
    """Give the removal table another row for one type of device."""

    @contextmanager
    def planted() -> Generator[None]:
        correct = REMOVAL_TABLE[kind]
        REMOVAL_TABLE[kind] = steps
        try:
            yield
        finally:
            REMOVAL_TABLE[kind] = correct

    return planted


def with_step(step: WorkStep, run: Callable[[Removal], Awaitable[None]]) -> Planting:
    """Give one step of the removal table another function, in all rows."""
    return _with_member(step, "run", run)


def with_record(step: RecordStep, apply: Callable[[Removal, Commit], None]) -> Planting:
    """As `with_step`, for a step that changes records."""
    return _with_member(step, "apply", apply)


def _with_member(step: Step, name: str, function: object) -> Planting:
    @contextmanager
    def planted() -> Generator[None]:
        correct = getattr(step, name)
        object.__setattr__(step, name, function)  # frozen: nobody else may
        try:
            yield
        finally:
            object.__setattr__(step, name, correct)

    return planted


def together(*plantings: Planting) -> Planting:
    """Several replacements at once."""

    @contextmanager
    def planted() -> Generator[None]:
        if not plantings:
            yield
            return
        with plantings[0](), together(*plantings[1:])():
            yield

    return planted
