"""Generated programs, any of them: our QEMU keeps to QEMU's schema, and says the same each time."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.conformance.campaign import generate
from pyvirt_sim.conformance.compare import run_program
from pyvirt_sim.conformance.program import Program
from pyvirt_sim.conformance.shapes import SHAPES
from pyvirt_sim.conformance.sim_arm import play_sim


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """What the campaigns play, with steps left out so that a failing one can be made small.

    A seed decides the steps: a `Random` of Hypothesis's own keeps to small numbers, and so to the
    first commands of every family.
    """
    shape = draw(st.sampled_from(sorted(SHAPES)))
    program = generate(Random(draw(st.integers(0, 2**32 - 1))), shape)
    indexes = range(len(program.steps))
    return program.without(*draw(st.sets(st.sampled_from(indexes), max_size=2)))


@settings(max_examples=150, deadline=None)
@given(programs())
def test_replies_and_events_of_any_program_keep_to_the_schema(program: Program) -> None:
    outcome = run_program(program, play=None)
    assert outcome.difference is None, outcome.difference.as_text()
    assert len(outcome.simulated.heard) == len(outcome.program.steps)


@settings(max_examples=30, deadline=None)
@given(programs())
def test_a_program_played_twice_is_answered_alike(program: Program) -> None:
    assert play_sim(program) == play_sim(program)
