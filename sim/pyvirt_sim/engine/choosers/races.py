"""Happens-before in one run, its races, and the tree of beginnings that reverse them."""

from __future__ import annotations

from collections.abc import Sequence

from pyvirt_sim.engine.footprint import READ, UPDATE, WRITE, Footprint

__all__ = ["Branch", "Order", "copied", "depends", "insert", "is_weak_initial"]


def depends(earlier: Footprint, later: Footprint) -> bool:
    """Tell whether two steps of one run had to come in this order, each for itself."""
    return (
        later.woken_by == earlier.index
        or later.era > earlier.index
        or earlier.conflicts_with(later)
    )


class Order:
    """Happens-before of one run: the smallest order that holds all dependent pairs of steps.

    Attributes:
        before: by step, the bit set of the steps that happen before it.
        races: pairs (i, j) of dependent steps, of different tasks, with nothing in between, where
            step j could run without step i: the two may be reversed.
    """

    def __init__(self, steps: Sequence[Footprint], first_new: int = 0) -> None:
        self.steps = steps
        self.before: list[int] = []
        self.races: list[tuple[int, int]] = []
        # By label: bit sets of the steps that read, updated, wrote it.
        self._by_label: dict[str, list[int]] = {}
        self._open = 0
        self._last: dict[str, int] = {}
        for step in steps:
            self._add(step, step.index >= first_new)

    def _add(self, step: Footprint, is_new: bool) -> None:
        index = step.index
        earlier = self.before
        before = (1 << step.era) - 1
        for cause in (step.woken_by, self._last.get(step.path, -1)):
            if cause >= 0:
                before |= earlier[cause] | 1 << cause
        for label in step.joins:
            before |= self._all_up_to(self._by_label.get(label, (0, 0, 0))[1])
        rest = self._conflicting(step) & ~before
        while rest:
            # The latest one has nothing between itself and this step.
            latest = rest.bit_length() - 1
            if is_new:
                self.races.append((latest, index))
            before |= earlier[latest] | 1 << latest
            rest &= ~before
        earlier.append(before)
        self._last[step.path] = index

    def _all_up_to(self, causes: int) -> int:
        """Return ``causes`` and all that happens before one of them."""
        before = 0
        while causes:
            latest = causes.bit_length() - 1
            before |= self.before[latest] | 1 << latest
            causes &= ~before
        return before

    def _conflicting(self, step: Footprint) -> int:
        """Return the bit set of earlier steps that conflict with ``step``, and remember it."""
        bit = 1 << step.index
        found = bit - 1 if step.is_open else self._open
        if step.is_open:
            self._open |= bit
        for label, mode in (*step.touched.items(), (step.own_label, WRITE)):
            sets = self._by_label.get(label)
            if sets is None:
                sets = self._by_label[label] = [0, 0, 0]
            readers, updaters, writers = sets
            found |= writers
            if mode != UPDATE:
                found |= updaters
            if mode != READ:
                found |= readers
            for place, kind in enumerate((READ, UPDATE, WRITE)):
                if mode & kind:
                    sets[place] |= bit
        return found & (bit - 1)

    def without(self, first: int, second: int) -> list[Footprint]:
        """Return what can run when step ``first`` has not, ending with step ``second``."""
        before, steps = self.before, self.steps
        free = [
            steps[k]
            for k in range(first + 1, len(steps))
            if k != second and not before[k] >> first & 1
        ]
        return [*free, steps[second]]


class Branch:
    """A node of a wakeup tree: ``path`` takes the next step, then one of ``children`` is followed.

    Attributes:
        footprint: what the step touched where it was seen.
    """

    __slots__ = ("children", "footprint", "path")

    def __init__(self, path: str, footprint: Footprint) -> None:
        self.path = path
        self.footprint = footprint
        self.children: list[Branch] = []


def _position_of_initial(path: str, sequence: Sequence[Footprint]) -> int:
    """Return where the first step of ``path`` is, -1 if nowhere, -2 if it needs one before it."""
    for position, step in enumerate(sequence):
        if step.path == path:
            if any(depends(earlier, step) for earlier in sequence[:position]):
                return -2
            return position
    return -1


def is_weak_initial(
    path: str, footprints: Sequence[Footprint], sequence: Sequence[Footprint]
) -> bool:
    """Tell whether ``sequence``, or something that begins like it, may begin with ``path``.

    Args:
        path: a task that is runnable where ``sequence`` begins.
        footprints: what its next step may touch.
        sequence: steps that can run in this order.
    """
    position = _position_of_initial(path, sequence)
    if position != -1:
        return position >= 0
    return not any(one.conflicts_with(step) for one in footprints for step in sequence)


def insert(sequence: list[Footprint], branches: list[Branch]) -> bool:
    """Add ``sequence`` to a wakeup tree, unless what is in it covers the same; say whether it did.

    A branch covers the sequence when following it leads, up to swaps of independent steps, to what
    the sequence leads to. Below a leaf everything will be searched.
    """
    left = list(sequence)
    while left:
        for branch in branches:
            position = _position_of_initial(branch.path, left)
            if position >= 0:
                del left[position]
            elif position == -2 or any(branch.footprint.conflicts_with(step) for step in left):
                continue
            break
        else:
            _grow(left, branches)
            return True
        if not branch.children:
            return False
        branches = branch.children
    return False


def _grow(sequence: Sequence[Footprint], branches: list[Branch]) -> None:
    for step in sequence:
        branch = Branch(step.path, step)
        branches.append(branch)
        branches = branch.children


def copied(branches: Sequence[Branch]) -> list[Branch]:
    """Return a copy of a wakeup tree that can be followed and grown by itself."""
    copies: list[Branch] = []
    for branch in branches:
        twin = Branch(branch.path, branch.footprint)
        twin.children = copied(branch.children)
        copies.append(twin)
    return copies
