"""The options of a search are checked before anything runs; the same options search the same."""

from __future__ import annotations

import pytest
import trio

from pyvirt_sim.engine import Canonical, Pct, RandomWalk
from pyvirt_sim.engine.search import Search
from tests.sim.engine.programs import lost_update


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"schedules": 0}, "schedules must be an int of at least 1, not 0"),
        ({"schedules": 2.5}, "schedules must be an int"),
        ({"schedules": True}, "schedules must be an int"),
        ({"seed": -1}, "seed must be an int of at least 0"),
        ({"max_steps": "9"}, "max_steps must be an int"),
        ({"policy": "fair"}, "policy must be one of"),
        ({"timers": None}, "timers must be one of"),
        ({"chooser": 3}, "chooser must be called with a seed"),
        ({"chooser": Canonical()}, "chooser must be called with a seed"),
    ],
)
def test_what_cannot_work_is_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        Search(**options)


@pytest.mark.parametrize("chooser", [None, RandomWalk, lambda seed: Pct(seed, 2)])
def test_the_same_search_finds_the_same_run(chooser):
    search = Search(schedules=300, chooser=chooser)
    first, second = search.run(lost_update), search.run(lost_update)
    assert first.failure is not None
    assert second.failure is not None
    assert first.schedules == second.schedules
    assert first.failure.digest == second.failure.digest
    assert search.replay(lost_update, first.failure.tape).digest == first.failure.digest


def test_a_search_without_a_failure_says_how_far_it_went():
    result = Search(schedules=7, chooser=RandomWalk).run(trio.lowlevel.checkpoint)
    assert (result.schedules, result.failure, result.found_by) == (7, None, "")
