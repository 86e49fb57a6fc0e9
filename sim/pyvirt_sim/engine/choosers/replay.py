"""Answer from a tape."""

from __future__ import annotations

import sys
from itertools import repeat

import trio

from pyvirt_sim.engine.errors import ReplayDivergedError
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE, Tape

__all__ = ["Replay"]


class Replay:
    """Gives the answers on a tape.

    Strict: the first choice that is not the recorded one raises `ReplayDivergedError`. A tape from
    the line form carries no bounds and labels; then a value out of range raises at once, and any
    other difference when the run has ended.

    Lenient: what does not fit the tape is answered canonically, with 0. Shrinking relies on it.

    Args:
        tape: the decisions to take.
        strict: raise at the first difference.
    """

    def __init__(self, tape: Tape, *, strict: bool = True) -> None:
        self.tape = tape
        self.strict = strict
        self._positions: dict[str, int] = {}

    def start(self, _run: RunStart, /) -> None:
        """Rewind."""
        self._positions = dict(zip(self.tape.streams, repeat(0)))

    def choose(self, point: Point, /) -> int:
        """Return the recorded answer."""
        position = self._positions.get(point.stream, 0)
        self._positions[point.stream] = position + 1
        stream = self.tape.streams.get(point.stream)
        if stream is None or position >= len(stream.values):
            if self.strict:
                raise self._diverged(point, position, "the tape has ended")
            return 0
        value = stream.values[position]
        if not self.strict:
            return value if value < point.bound else 0
        if value >= point.bound:
            raise self._diverged(point, position, f"the tape says candidate {value}")
        if stream.bounds is not None and stream.bounds[position] != point.bound:
            raise self._diverged(
                point, position, f"the tape has {stream.bounds[position]} candidates"
            )
        if stream.labels is not None:
            expected = stream.labels[position]
            found = point.names[value] if point.stream == SCHEDULE else point.label
            if expected != found:
                raise self._diverged(
                    point, position, f"the tape says {expected!r}, the program {found!r}"
                )
        return value

    def finish(self, result: Run | None, /) -> None:
        """Strict: the whole tape must have been used, and its checks must agree."""
        if not self.strict or result is None:
            return
        for name, stream in self.tape.streams.items():
            position = self._positions.get(name, 0)
            if position < len(stream.values):
                raise ReplayDivergedError(
                    f"the run ended after draw {position} of {len(stream.values)} of stream "
                    f"{name!r}{self._versions()}"
                )
            recorded = result.tape.streams.get(name)
            if stream.check and recorded is not None and recorded.check != stream.check:
                raise ReplayDivergedError(
                    f"stream {name!r} had as many draws as the tape but other candidates"
                    f"{self._versions()}"
                )

    def _diverged(self, point: Point, position: int, why: str) -> ReplayDivergedError:
        names = ", ".join(point.names[:8])
        return ReplayDivergedError(
            f"draw {position} of stream {point.stream!r} at step {point.step}: {why}; "
            f"the program offers {point.bound}: {names}{self._versions()}"
        )

    def _versions(self) -> str:
        python = ".".join(str(part) for part in sys.version_info[:3])
        if (python, trio.__version__) == (self.tape.python, self.tape.trio):
            return (
                " (the program or the name of one of its tasks is not what was recorded, or it is "
                "not deterministic: see prove_deterministic)"
            )
        return (
            f" (recorded with Python {self.tape.python} and Trio {self.tape.trio}, "
            f"this is {python} and {trio.__version__})"
        )

    def __repr__(self) -> str:
        return "strict replay" if self.strict else "lenient replay"
