"""`prove_deterministic` finds each hazard and names its line; it finds nothing where none is."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from pyvirt_sim.engine import Canonical, Divergence, NondeterminismError, prove_deterministic
from pyvirt_sim.engine.determinism.proof import Rubbish
from tests.sim.engine.determinism import programs

LINES = Path(programs.__file__).read_text().splitlines()


def hazard_line(program) -> str:
    """Return the place of the line marked HAZARD in ``program``."""
    number = program.__code__.co_firstlineno
    while "# HAZARD" not in LINES[number - 1]:
        number += 1
    return f"determinism/programs.py:{number} in {program.__name__}"


def divergence_of(caught) -> Divergence:
    found = caught.value.divergence
    assert isinstance(found, Divergence)
    return found


@pytest.mark.parametrize(
    "program", [programs.set_of_objects, programs.imported_random, programs.imported_time]
)
def test_a_hazard_is_found_in_one_process(program):
    with pytest.raises(NondeterminismError) as caught:
        prove_deterministic(program, hash_seeds=(), repetitions=8)
    assert hazard_line(program) == divergence_of(caught).source
    assert "same process" in str(caught.value)


@pytest.mark.parametrize(
    "program", [programs.set_of_strings, programs.local_time, programs.order_of_hashes]
)
def test_a_hazard_is_found_by_a_process_with_another_hash_seed(program):
    prove_deterministic(program, hash_seeds=())
    with pytest.raises(NondeterminismError) as caught:
        prove_deterministic(program, schedules=1)
    assert hazard_line(program) == divergence_of(caught).source
    assert "hash seed" in str(caught.value)


def test_state_that_outlives_a_run_is_found():
    programs.connection.cache_clear()
    with pytest.raises(NondeterminismError) as caught:
        prove_deterministic(programs.state_that_outlives_a_run, chooser=Canonical(), hash_seeds=())
    assert divergence_of(caught).kind == "note"
    assert divergence_of(caught).first == "program: connected []"


def test_the_first_difference_has_a_step_a_task_and_both_lines():
    with pytest.raises(NondeterminismError) as caught:
        prove_deterministic(programs.imported_random, hash_seeds=())
    found = divergence_of(caught)
    assert (found.kind, found.path) == ("time", "imported_random")
    assert found.first != found.second
    assert "in imported_random" in found.first_location
    assert "in imported_random" in found.second_location
    assert "delay = 0." in found.change


def test_a_deterministic_program_is_proved():
    proof = prove_deterministic(
        f"{programs.__name__}:harmless", schedules=4, repetitions=2, hash_seeds=(5, 6)
    )
    assert (
        proof.schedules,
        proof.runs,
        proof.hash_seeds,
        proof.skipped,
    ) == (4, 20, (5, 6), "")


def test_memory_is_laid_out_differently_for_each_repetition():
    def order_of_addresses(rubbish):
        if rubbish is not None:
            rubbish.add()
        made = [object() for _ in range(12)]
        return tuple(sorted(range(12), key=lambda number: id(made[number])))

    rubbish = Rubbish()
    quiet = {order_of_addresses(None) for _ in range(10)}
    stirred = {order_of_addresses(rubbish) for _ in range(10)}
    assert len(quiet) < 5 < len(stirred)


def test_what_a_child_cannot_import_is_said():
    async def inner():
        await trio.sleep(1)

    proof = prove_deterministic(inner)
    assert proof.hash_seeds == ()
    assert "cannot be imported" in proof.skipped


def test_a_child_that_fails_tells_why():
    with pytest.raises(RuntimeError, match="could not run the program"):
        prove_deterministic(programs.say, _Unloadable("x"), schedules=1)


def test_a_name_without_a_colon_is_refused():
    with pytest.raises(ValueError, match="module:name"):
        prove_deterministic("programs.harmless")


class _Unloadable(str):
    """Can be sent, but not received."""

    __slots__ = ()

    def __reduce__(self):
        return _explode, ()


def _explode():
    raise ImportError("not here")
