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
    """What the campaigns play, every choice of which Hypothesis makes and can take back."""
    shape = draw(st.sampled_from(sorted(SHAPES)))
    random: Random = draw(st.randoms(use_true_random=False))
    return generate(random, shape)


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
