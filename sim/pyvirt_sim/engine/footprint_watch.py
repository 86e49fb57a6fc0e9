"""Watching a method: a wrapper that touches something before the method does what it always does.

Each function here takes what is to be touched and returns a wrapper of a method. Outside runs that
want footprints the wrapped method does nothing else than the original.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pyvirt_sim.engine.footprint import _active as active

__all__ = ["Method", "by_hand", "named", "touching", "touching_async", "touching_property"]

Method = Callable[..., Any]


def named(kind: str) -> Callable[[Method], Method]:
    """Watch a constructor: the object gets a label before anything can touch it."""

    def watch(original: Method) -> Method:
        @functools.wraps(original)
        def construct(self: Any, *args: Any, **kwargs: Any) -> None:
            if active:
                active[0].label(self, kind)
            original(self, *args, **kwargs)

        return construct

    return watch


def touching(mode: int, field: str = "") -> Callable[[Method], Method]:
    """Watch a method that touches its object, or the one in ``field``, once."""

    def watch(original: Method) -> Method:
        @functools.wraps(original)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if active:
                active[0].touch_object(getattr(self, field) if field else self, mode)
            return original(self, *args, **kwargs)

        return call

    return watch


def touching_async(mode: int) -> Callable[[Method], Method]:
    """Watch an async method that touches its object in its first step."""

    def watch(original: Method) -> Method:
        @functools.wraps(original)
        async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if active:
                active[0].touch_object(self, mode)
            return await original(self, *args, **kwargs)

        return call

    return watch


def by_hand(watched: Callable[..., Any]) -> Callable[[Method], Method]:
    """Watch with a function of our own, which gets the original as its first argument."""

    def watch(original: Method) -> Method:
        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not active:
                return original(*args, **kwargs)
            return watched(original, active[0], *args, **kwargs)

        return call

    return watch


def touching_property(get: int | None, put: int | None) -> Callable[[Any], Any]:
    """Watch a property."""

    def watch(original: property) -> property:
        getter, setter = original.fget, original.fset
        assert getter is not None
        return property(
            getter if get is None else touching(get)(getter),
            setter if put is None or setter is None else touching(put)(setter),
        )

    return watch
