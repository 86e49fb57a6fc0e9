"""Serve the clocks of Python from virtual time.

``time.time`` starts at `EPOCH_S`, midnight of 1 January 2020 UTC; the clocks that only measure
(``monotonic``, ``perf_counter``, ``process_time`` and the like) start at 0, as
``trio.current_time`` does inside a run, so that their differences are exact. Local
time is that of the machine's zone.

A function taken from ``time`` before the run (``from time import time``) is the real one: Python
offers no way to change it. ``prove_deterministic`` finds it. Methods of ``datetime`` are served
however they were imported, because they are looked up in the class at each call.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import gc
import logging
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from pyvirt_sim.engine.errors import EscapeError
from pyvirt_sim.engine.fence.gate import gate
from pyvirt_sim.engine.fence.swap import Memory, Swap
from pyvirt_sim.engine.where import call_site

__all__ = ["EPOCH_S", "SERVED_CLOCKS", "served_clocks"]

# 2020-01-01T00:00:00Z, in seconds since 1970.
EPOCH_S: Final = 1_577_836_800
# Reads of a clock within one task step after which the program is told that it waits in vain.
SPIN_READS: Final = 1_000_000
_real: Final[dict[str, Callable[..., Any]]] = dict(vars(time))


class _Spin:
    """Counts how often clocks were read within one step."""

    step = -1
    reads = 0


def _now_s() -> float | None:
    """Return the virtual time, seconds since the start of the run; None outside a run."""
    execution = gate.execution
    if execution is None:
        return None
    step = len(execution.order)
    if step != _Spin.step:
        _Spin.step, _Spin.reads = step, 0
    _Spin.reads += 1
    if _Spin.reads > SPIN_READS:
        raise execution.escape(
            EscapeError(
                f"{SPIN_READS} looks at the clock within one step",
                call_site(),
                "use trio.sleep: time stands still while a task runs",
            )
        )
    return execution.clock.now_s


class ServedClock:
    """One function of ``time``, as a number derived from virtual time.

    Its bound method ``read`` takes the function's place; see `RefusedCall` for why.
    """

    __slots__ = ("original", "start", "unit")

    def __init__(self, name: str, start: int, unit: int) -> None:
        self.original = _real[name]
        self.start = start
        self.unit = unit

    def read(self) -> float:
        """Return what the clock shows."""
        now = _now_s()
        if now is None:
            return self.original()  # type: ignore[no-any-return]
        if self.unit == 1:
            return self.start + now
        return self.start * self.unit + round(now * self.unit)


class _Calendar:
    """The functions of ``time`` that use the present when no time is given."""

    @staticmethod
    def _call(name: str, seconds: float | None) -> Any:
        if seconds is None:
            now = _now_s()
            if now is not None:
                seconds = EPOCH_S + now
        return _real[name](seconds)

    def localtime(self, seconds: float | None = None, /) -> Any:
        return self._call("localtime", seconds)

    def gmtime(self, seconds: float | None = None, /) -> Any:
        return self._call("gmtime", seconds)

    def ctime(self, seconds: float | None = None, /) -> Any:
        return self._call("ctime", seconds)

    def asctime(self, *when: Any) -> Any:
        return _real["asctime"](*(when or (self.localtime(),)))

    def strftime(self, form: str, *when: Any) -> Any:
        return _real["strftime"](form, *(when or (self.localtime(),)))

    def clock_gettime(self, clock: int, /) -> float:
        now = _now_s()
        if now is None:
            return cast("float", _real["clock_gettime"](clock))
        return now + (EPOCH_S if clock == time.CLOCK_REALTIME else 0)

    def clock_gettime_ns(self, clock: int, /) -> int:
        now = _now_s()
        if now is None:
            return cast("int", _real["clock_gettime_ns"](clock))
        return round(now * 10**9) + (EPOCH_S * 10**9 if clock == time.CLOCK_REALTIME else 0)


class _ServedMethod:
    """A class method of ``datetime`` that is the original one outside a run.

    Outside a run the lookup gives the original bound method, so that not even the frame that a
    warning is attributed to differs.
    """

    def __init__(self, original: Any, served: Callable[..., Any]) -> None:
        self.original = original
        self.served = served

    def __get__(self, instance: Any, owner: Any) -> Any:
        if gate.execution is None:
            return self.original.__get__(instance, owner)
        return self.served.__get__(owner)


def _now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
    return cls.fromtimestamp(EPOCH_S + (_now_s() or 0.0), tz)


def _utcnow(cls: type[dt.datetime]) -> dt.datetime:
    if sys.version_info >= (3, 12):
        warnings.warn(
            "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future "
            "version. Use timezone-aware objects to represent datetimes in UTC: "
            "datetime.datetime.now(dt.UTC).",
            DeprecationWarning,
            stacklevel=2,
        )
    return _now(cls, dt.UTC).replace(tzinfo=None)


def _serve_datetime() -> None:
    """Put two class methods of the built-in class ``datetime`` in front of the original ones.

    The class refuses assignment, but its dictionary is an ordinary one, and telling Python that
    it has changed is a documented call. See ``docs/decisions/0002-served-time.md``.
    """
    methods: Any = gc.get_referents(dt.datetime.__dict__)[0]
    for name, served in (("now", _now), ("utcnow", _utcnow)):
        methods[name] = _ServedMethod(methods[name], served)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))


_MEASURING: Final = ("monotonic", "perf_counter", "process_time", "thread_time")
_CALENDAR: Final = (
    "asctime",
    "clock_gettime",
    "clock_gettime_ns",
    "ctime",
    "gmtime",
    "localtime",
    "strftime",
)
# What is served, for the documentation. ``datetime.today`` and ``date.today`` ask ``time.time``.
SERVED_CLOCKS: Final = (
    "time.time",
    "time.time_ns",
    *(f"time.{name}{unit}" for name in _MEASURING for unit in ("", "_ns")),
    *(f"time.{name}" for name in _CALENDAR),
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
)


def served_clocks(refusing: Mapping[str, Any]) -> list[Swap | Memory]:
    """Return what to swap so that clocks show virtual time; serves ``datetime`` at once.

    Args:
        refusing: names of ``time`` to swap with them: each namespace costs every run a little.
    """
    _serve_datetime()
    served: dict[str, Any] = {
        "time": ServedClock("time", EPOCH_S, 1).read,
        "time_ns": ServedClock("time_ns", EPOCH_S, 10**9).read,
    }
    for name in _MEASURING:
        served[name] = ServedClock(name, 0, 1).read
        served[f"{name}_ns"] = ServedClock(f"{name}_ns", 0, 10**9).read
    calendar = _Calendar()
    served.update((name, getattr(calendar, name)) for name in _CALENDAR)
    # What a log record calls "since the start" counts from the start of the run.
    start: Any = logging._startTime  # type: ignore[attr-defined]
    begin = EPOCH_S * 10**9 if isinstance(start, int) else float(EPOCH_S)
    return [
        Swap(time.__dict__, {**served, **refusing}),
        Memory(logging.__dict__, "_startTime", begin),
    ]
