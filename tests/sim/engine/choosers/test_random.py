"""The choosers that draw: what they promise about chances, measured with fixed seeds."""

from __future__ import annotations

from collections import Counter
from math import comb

import pytest

from pyvirt_sim.engine import RandomWalk, UniformWalk, simulate
from tests.sim.engine.choosers.programs import tasks_of


def frequencies(program, chooser, runs, skip=0):
    for _ in range(skip):
        simulate(program, chooser=chooser)
    return Counter(tuple(simulate(program, chooser=chooser).record.order) for _ in range(runs))


@pytest.mark.parametrize("lengths", [(2, 2), (1, 4), (1, 1, 3)])
def test_the_uniform_walk_takes_every_interleaving_equally_often(lengths):
    total, expected = sum(lengths), 1
    for length in lengths:
        expected *= comb(total, length)
        total -= length
    runs = 150 * expected
    counts = frequencies(tasks_of(*lengths), UniformWalk(1), runs, skip=1)
    assert len(counts) == expected
    # Five standard deviations of a fair count.
    assert all(abs(count - 150) < 5 * 150**0.5 for count in counts.values()), counts


def test_a_random_walk_does_not():
    counts = frequencies(tasks_of(1, 4), RandomWalk(1), 750)
    assert max(counts.values()) > 4 * min(counts.values())
