"""The same answers give the same run: in one process, over processes, and as Trio's own loop."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.engine import Canonical, Pct, RandomWalk, Tape, execution, replay, simulate
from tests.sim.engine.programs import busy, hazards
from tests.sim.engine.reference import reference_loop

POLICIES = st.sampled_from(["any", "batch"])
TIMERS = st.sampled_from(["idle", "choice"])
CHOOSERS = st.sampled_from([RandomWalk, lambda seed: Pct(seed, 2)])

CHILD = """
import warnings; warnings.simplefilter("error")
from pyvirt_sim.engine import RandomWalk, simulate
from tests.sim.engine.programs import busy, hazards
for program in (busy, hazards):
    run = simulate(program, chooser=RandomWalk(5))
    print(run.tape.to_text(), run.digest, run.unwrap())
"""


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), POLICIES, TIMERS, CHOOSERS)
def test_replay_gives_the_same_run(seed, policy, timers, chooser):
    run = simulate(busy, chooser=chooser(seed), policy=policy, timers=timers)
    again = replay(busy, Tape.from_text(run.tape.to_text()))
    assert (again.digest, again.value, again.tape) == (run.digest, run.value, run.tape)
    detailed = replay(busy, run.tape, detail=True)
    assert detailed.digest == run.digest


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), POLICIES, TIMERS)
def test_the_loop_does_what_trios_own_loop_does(seed, policy, timers):
    options = {"policy": policy, "timers": timers}
    ours = simulate(busy, chooser=RandomWalk(seed), **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "run_loop", reference_loop)
        trios = simulate(busy, chooser=RandomWalk(seed), **options)
    assert trios.unwrap() == ours.unwrap()
    assert trios.digest == ours.digest


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32))
def test_no_order_comes_from_an_address(seed):
    runs, rubbish = [], []
    for size in range(3):
        rubbish.append([object() for _ in range(size * 777)])  # moves the addresses
        runs.append(simulate(hazards, chooser=RandomWalk(seed)))
    assert runs[0].value == runs[1].value == runs[2].value
    assert runs[0].digest == runs[1].digest == runs[2].digest


def test_who_else_refers_to_a_generator_that_has_ended_changes_nothing():
    """A profiler's thread keeps the frames that it has seen, and so what is in them."""
    seen: list[object] = []

    async def numbers():
        yield 1
        await trio.lowlevel.checkpoint()

    async def program(look):
        for _ in range(3):
            generator = numbers()
            look(generator)
            assert [number async for number in generator] == [1]
            await trio.lowlevel.checkpoint()

    alone = simulate(partial(program, lambda _: None), chooser=RandomWalk(1))
    watched = simulate(partial(program, seen.append), chooser=RandomWalk(1))
    assert len(seen) == 3
    assert (watched.digest, watched.tape) == (alone.digest, alone.tape)


def test_processes_with_other_hash_seeds_see_the_same_run():
    outputs = set()
    for hash_seed in range(5):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        outputs.add(
            subprocess.run(
                [sys.executable, "-c", CHILD],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    assert len(outputs) == 1


def test_seeds_reach_different_schedules():
    chooser = RandomWalk(0)
    assert len({simulate(busy, chooser=chooser).digest for _ in range(20)}) > 15


def test_the_canonical_run_deviates_nowhere():
    run = simulate(busy, chooser=Canonical())
    assert run.deviations == 0
    assert run.choices > 10
