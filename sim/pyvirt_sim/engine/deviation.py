"""A decision out of turn, told by whom it passed over instead of by its place on the tape.

The n-th choice of a run is another choice in every other run: undo one decision and all later
ones stand at other places. But "when ``reader`` was due to take its third step, ``client`` ran
instead" keeps its meaning as long as ``reader`` comes that far. All deviations of a run together
determine it, so they are a second form of its tape, one from which single decisions can be taken
out or put in: shrinking and explaining are built on that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import attrs

from pyvirt_sim.engine.execution import Execution, current_execution
from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["Deviation", "Directed", "Surveyor", "Turns", "Witness", "single_deviations", "turns_of"]


@attrs.frozen
class Deviation:
    """One decision that is not the canonical one.

    Attributes:
        step: the step it let run; for a draw, the step in which it was drawn.
        stream: ``schedule``, or the stream of the draw.
        label: what was drawn; empty for the schedule.
        expected: path of the task whose turn it was, or the plain answer to the draw.
        turn: how many steps that task had taken before; for a draw, how many draws of the same
            stream and label there were.
        chosen: path of the task that ran instead, or what was drawn; empty when only ``index``
            is to count.
        index: the answer, as on the tape.
    """

    step: int
    stream: str
    label: str
    expected: str
    turn: int
    chosen: str
    index: int

    @property
    def key(self) -> tuple[str, str, int]:
        """What identifies the decision in another run of the same program."""
        return (self.stream, self.label or self.expected, self.turn)


class Turns:
    """Counts, within the active run, the steps each task has taken and the draws made."""

    def __init__(self) -> None:
        execution = current_execution()
        assert execution is not None, "a chooser is started by a run"
        self.execution: Execution = execution
        self._seen = 0
        self._steps: Counter[int] = Counter()
        self._draws: Counter[tuple[str, str]] = Counter()

    def first(self) -> int:
        """Return the number of the canonical candidate, without asking for all of them."""
        number: int = self.execution.queue[0]._counter  # pyright: ignore[reportPrivateUsage]
        return number

    def path(self, number: int) -> str:
        """Return the path of a task."""
        return self.execution.record.path(number)

    def of_task(self, number: int) -> int:
        """Return how many steps a task has taken."""
        order = self.execution.order
        self._steps.update(order[self._seen :])
        self._seen = len(order)
        return self._steps[number]

    def of_draw(self, point: Point) -> int:
        """Return how many draws of the point's stream and label there were, and count it."""
        key = (point.stream, point.label)
        self._draws[key] += 1
        return self._draws[key] - 1


class _Recording:
    """What `Witness` and `Directed` share: they remember each answer that is not canonical."""

    def __init__(self) -> None:
        self.deviations: list[Deviation] = []
        self.turns: Turns

    def begin(self) -> None:
        self.deviations = []
        self.turns = Turns()

    def remember(self, point: Point, turn: int, index: int) -> None:
        names = point.names
        self.deviations.append(
            Deviation(point.step, point.stream, point.label, names[0], turn, names[index], index)
        )

    def turn(self, point: Point) -> int:
        if point.stream != SCHEDULE:
            return self.turns.of_draw(point)
        return self.turns.of_task(self.turns.first())


class Witness(_Recording):
    """Lets another chooser decide, and remembers its deviations."""

    def __init__(self, asked: Chooser) -> None:
        super().__init__()
        self._asked = asked

    def start(self, run: RunStart, /) -> None:
        """Forget the last run."""
        self.begin()
        self._asked.start(run)

    def choose(self, point: Point, /) -> int:
        """Return the other chooser's answer."""
        index = self._asked.choose(point)
        if point.stream != SCHEDULE:
            turn = self.turns.of_draw(point)
            if index:
                self.remember(point, turn, index)
        elif index:
            self.remember(point, self.turns.of_task(self.turns.first()), index)
        return index

    def finish(self, result: Run | None, /) -> None:
        """Let the other chooser learn."""
        self._asked.finish(result)


class Directed(_Recording):
    """The canonical schedule, except where one of the given deviations applies.

    After the run ``deviations`` has those that did apply, as they were in this run.
    """

    def __init__(self, wanted: Iterable[Deviation]) -> None:
        super().__init__()
        self.wanted = tuple(wanted)
        self._pending: dict[tuple[str, str, int], list[Deviation]] = {}

    def start(self, _run: RunStart, /) -> None:
        """Begin again with all that is wanted."""
        self.begin()
        self._pending = {}
        for deviation in self.wanted:
            # One task may be passed over several times in a row at the same turn.
            self._pending.setdefault(deviation.key, []).append(deviation)

    def choose(self, point: Point, /) -> int:
        """Return what the deviation for this turn says, or 0."""
        turn = self.turn(point)
        first = point.label or self.turns.path(self.turns.first())
        pending = self._pending.get((point.stream, first, turn))
        if not pending:
            return 0
        wanted = pending.pop(0)
        if point.stream != SCHEDULE:
            index = wanted.index if wanted.index < point.bound else 0
        else:
            names = point.names
            if not wanted.chosen:
                index = min(wanted.index, point.bound - 1)
            else:
                index = names.index(wanted.chosen) if wanted.chosen in names else 0
        if index:
            self.remember(point, turn, index)
        return index

    def finish(self, _result: Run | None, /) -> None:
        """Nothing to learn."""


class Surveyor:
    """Lets another chooser decide, and remembers what each choice offered.

    Attributes:
        offers: for each schedule choice its step and the numbers of the tasks.
        draws: for each draw its step, stream, label, turn and bound.
    """

    def __init__(self, asked: Chooser) -> None:
        self.offers: list[tuple[int, Sequence[int]]] = []
        self.draws: list[tuple[int, str, str, int, int]] = []
        self._asked = asked
        self._turns: Turns

    def start(self, run: RunStart, /) -> None:
        """Forget the last run."""
        self.offers, self.draws = [], []
        self._turns = Turns()
        self._asked.start(run)

    def choose(self, point: Point, /) -> int:
        """Return the other chooser's answer."""
        if point.stream == SCHEDULE:
            self.offers.append((point.step, tuple(point.numbers)))
        else:
            turn = self._turns.of_draw(point)
            self.draws.append((point.step, point.stream, point.label, turn, point.bound))
        return self._asked.choose(point)

    def finish(self, result: Run | None, /) -> None:
        """Let the other chooser learn."""
        self._asked.finish(result)


def turns_of(run: Run) -> tuple[list[int], Callable[[int], str]]:
    """Return, for each step of a run, how many its task had taken; and the path of each task."""
    counts: Counter[int] = Counter()
    turns: list[int] = []
    for number in run.record.order:
        turns.append(counts[number])
        counts[number] += 1
    return turns, run.record.path


def single_deviations(run: Run, offers: Sequence[tuple[int, Sequence[int]]]) -> list[Deviation]:
    """Return every schedule decision that ``run`` could have taken otherwise, in its order.

    Args:
        run: the run.
        offers: what a `Surveyor` saw in it.
    """
    found: list[Deviation] = []
    counts: Counter[int] = Counter()
    seen, path = 0, run.record.path
    for step, numbers in offers:
        counts.update(run.record.order[seen:step])
        seen = step
        first, *rest = numbers
        for index, number in enumerate(rest, 1):
            found.append(
                Deviation(step, SCHEDULE, "", path(first), counts[first], path(number), index)
            )
    return found
