"""Dynamic partial order reduction: one run per class of schedules that differ only in swaps.

Two schedules are equivalent when one becomes the other by swapping neighbouring independent steps
(see `pyvirt_sim.engine.footprint` for what makes steps independent). Then the program does the same
in both. This search runs one schedule of each class, and when it ends, all that the program can do
has been seen.

How: after each run, every pair of dependent steps that could have come the other way round, with
nothing in between, is a *race*. For each race a beginning is planned in which they do: the steps
that did not depend on the first, then the second. Plans are kept in a *wakeup tree* at the choice
where they leave the run, and no tree holds two plans that lead to the same. A *sleep set* carries
along, beside each run, the tasks whose next step was searched already at an earlier choice and has
met nothing dependent since: running one of them next would repeat something. (Abdulla, Aronsson,
Jonsson, Sagonas, "Optimal dynamic partial order reduction", POPL 2014.) Trio helps: a runnable task
stays runnable, so a race can always be reversed unless the second step had to wait for the first.

Draws are tried with all their values, if they are few enough, at every draw.

What a step touches may depend on what came before it: above all whether it is open. Where it does,
a class may be met a second time; such runs are counted as redundant, and nothing is left out.

The search needs footprints (``wants_footprints``), and the options ``policy="any"`` and
``timers="idle"``. Under ``batch`` who may run next depends on everything that ran in the batch; and
where time may move while tasks can run, it matters to all of them when it does, so that there is
little to leave out. `PreemptionBound` searches those systematically.
"""

from __future__ import annotations

from pyvirt_sim.engine.choosers.prefix import UNTRIED, expect_bound, values_to_try
from pyvirt_sim.engine.choosers.races import Branch, Order, copied, insert, is_weak_initial
from pyvirt_sim.engine.errors import RedundantRun, SearchExhausted, StepLimitError
from pyvirt_sim.engine.footprint import Footprint
from pyvirt_sim.engine.footprint_collect import Collector
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["Dpor"]


class _Choice:
    """A choice of the current run, and what is left to try there.

    Attributes:
        step: the step that was chosen, or in which a number was drawn.
        bound, value: the choice.
        tries: how many values of a draw to try.
        names: paths of the candidates; empty for a draw.
        sleep: what was searched here, or before and is independent of all since: by path, what the
            step touched (several, when it draws).
        plans: what is left to try here; of a draw, what is to follow it, whatever its value.
        seen: what the chosen step touched, in the runs so far.
    """

    __slots__ = ("bound", "names", "plans", "seen", "sleep", "step", "tries", "value")

    def __init__(self, step: int, bound: int, names: list[str]) -> None:
        self.step = step
        self.bound = self.tries = bound
        self.value = 0
        self.names = names
        self.sleep: dict[str, list[Footprint]] = {}
        self.plans: list[Branch] = []
        self.seen: list[Footprint] = []


class Dpor:
    """Systematic search that runs one schedule of each class of equivalent ones.

    Attributes:
        runs: classes seen, one run each.
        redundant: runs that were given up or turned out to repeat a class.
        open_choices: choices, over all runs, whose step was open (it conflicts with everything);
            where all are, nothing is saved.
    """

    wants_footprints = True

    def __init__(self) -> None:
        self.runs = 0
        self.redundant = 0
        self.open_choices = 0
        self._has_long_runs = self._has_cut_draws = False
        self._choices: list[_Choice] = []
        self._position = 0
        self._has_begun = False
        self._first_new = 0  # the first step that the run did not have in common with the last one
        self._plans: list[Branch] = []  # what is to follow the last step that was looked at
        self._sleep: dict[str, list[Footprint]] = {}  # at that step
        self._looked_at = 0
        self._repeats = False
        self._collector: Collector | None = None

    @property
    def is_cut(self) -> bool:
        """Whether a run met ``max_steps``, or a draw had too many values to try them all."""
        return self._has_long_runs or self._has_cut_draws

    # -- choosing ------------------------------------------------------------------------------

    def start(self, run: RunStart, /) -> None:
        """Go to the next beginning.

        Raises:
            SearchExhausted: every class has run.
            ValueError: the options are not ``policy="any"`` and ``timers="idle"``.
        """
        if run.policy != "any" or run.timers != "idle":
            raise ValueError(
                "DPOR needs policy='any' and timers='idle': otherwise every step depends on the "
                "others; PreemptionBound and Exhaustive take all options"
            )
        if self._has_begun and not self._backtrack():
            cut = UNTRIED * self._has_cut_draws
            if self._has_long_runs:
                cut += ", none longer than max_steps allows"
            raise SearchExhausted(
                f"every class of equivalent schedules has run{cut}: {self.runs} runs",
                is_complete=not self.is_cut,
            )
        self._has_begun = True
        self._first_new = self._choices[-1].step if self._choices else 0
        self._position = 0
        self._looked_at = 0
        self._sleep = {}
        self._repeats = False
        self._collector = None

    def _backtrack(self) -> bool:
        """Leave the last run at its last choice with something left to try."""
        choices = self._choices
        while choices:
            choice = choices[-1]
            self._plans = []
            if not choice.names:
                if choice.value + 1 < choice.tries:
                    choice.value += 1
                    self._plans = copied(choice.plans)
                    return True
            else:
                choice.sleep[choice.names[choice.value]] = choice.seen
                branch = self._next_plan(choice)
                if branch is not None:
                    choice.seen = []
                    self._plans = branch.children
                    return True
            choices.pop()
        return False

    @staticmethod
    def _next_plan(choice: _Choice) -> Branch | None:
        """Take the first plan that can be followed, and choose its task."""
        while choice.plans:
            branch = choice.plans.pop(0)
            if branch.path in choice.names and branch.path not in choice.sleep:
                choice.value = choice.names.index(branch.path)
                return branch
        return None

    def choose(self, point: Point, /) -> int:
        """Repeat the beginning; then follow the plan; then the first candidate not asleep.

        Raises:
            RedundantRun: all candidates are asleep.
        """
        position = self._position
        self._position += 1
        self._collector = point.footprints
        if position < len(self._choices):
            choice = self._choices[position]
            expect_bound(point, choice.bound)
            return choice.value
        is_draw = point.stream != SCHEDULE
        names = [] if is_draw else [point.path(number) for number in point.numbers]
        choice = _Choice(point.step - is_draw, point.bound, names)
        if is_draw:
            choice.plans = copied(self._plans)  # followed with each value
            choice.tries = values_to_try(point)
            self._has_cut_draws = self._has_cut_draws or choice.tries < choice.bound
        else:
            self._look_at_steps(point.step)
            choice.sleep = dict(self._sleep)
            self._choose_first(choice)
        self._choices.append(choice)
        return choice.value

    def _choose_first(self, choice: _Choice) -> None:
        if self._repeats:
            raise RedundantRun("a step was forced that has been searched before")
        choice.plans = self._plans
        branch = self._next_plan(choice)
        if branch is None:
            awake = [i for i, name in enumerate(choice.names) if name not in choice.sleep]
            if not awake:
                raise RedundantRun("whoever can run next has been searched before")
            choice.value = awake[0]
        self._plans = [] if branch is None else branch.children

    def _look_at_steps(self, end: int) -> None:
        """Carry sleep set and plan over the steps since the last choice."""
        if not self._choices or self._collector is None:
            return
        schedule = next((c for c in reversed(self._choices) if c.names), None)
        footprints = self._collector.footprints(end)
        if schedule is not None and schedule.step >= self._looked_at:
            self._sleep = dict(schedule.sleep)
            self._looked_at = schedule.step
        for index in range(self._looked_at, end):
            step = footprints[index]
            self._repeats = self._repeats or step.path in self._sleep
            self._sleep = {
                path: seen
                for path, seen in self._sleep.items()
                if path != step.path and not any(one.conflicts_with(step) for one in seen)
            }
            if schedule is None or index != schedule.step:
                # Nobody was asked: the plan, if there is one, says the same.
                said = [branch for branch in self._plans if branch.path == step.path]
                self._plans = said[0].children if said else []
        self._looked_at = end

    # -- learning ------------------------------------------------------------------------------

    def finish(self, result: Run | None, /) -> None:
        """Find the races of the run and plan their reversals."""
        if self._collector is None:  # nobody was asked anything
            self.runs += 1
            return
        steps = self._collector.footprints()
        self._look_at_steps(len(steps))
        if result is None or self._repeats:
            self.redundant += 1
        else:
            self.runs += 1
            self._has_long_runs |= isinstance(result.error, StepLimitError)
        by_step: dict[int, _Choice] = {}
        for choice in self._choices:
            if choice.names and choice.step < len(steps):
                by_step[choice.step] = choice
        for index, choice in by_step.items():
            if index >= self._first_new:
                choice.seen.append(steps[index])
                self.open_choices += steps[index].is_open
        order = Order(steps, self._first_new)
        for first, second in order.races:
            found = by_step.get(first)
            if found is not None:
                self._plan(found, order.without(first, second))

    @staticmethod
    def _plan(choice: _Choice, sequence: list[Footprint]) -> None:
        for path, seen in choice.sleep.items():
            if is_weak_initial(path, seen, sequence):
                return
        insert(sequence, choice.plans)

    def __repr__(self) -> str:
        return f"DPOR, class {self.runs}"
