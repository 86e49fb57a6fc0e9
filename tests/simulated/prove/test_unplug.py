"""The proofs of removal: in short for every type, and that what they rest on is no lie."""

from __future__ import annotations

import pytest

from pyvirt_sim.engine import RandomWalk, labelled_only, simulate
from pyvirt_sim.engine.choosers.eager import Eager
from pyvirt_sim.engine.swaps import check_swaps
from pyvirt_sim.prove import Effort, proof_named, proof_names
from pyvirt_sim.prove.kinds import KINDS, Kind
from pyvirt_sim.prove.search import Story, Window, search, watching
from pyvirt_sim.prove.unplug import RIVALS, Rival, play
from pyvirt_trio.driver.removal import REMOVAL_TABLE
from pyvirt_trio.models.sharing import Lease

SHORT = 3
"""Schedules of each part here; ``pyvirt-sim prove --all`` runs all there are."""

by_name = {kind.name: kind for kind in KINDS}
by_rival = {rival.name: rival for rival in RIVALS}


def test_every_type_that_can_be_unplugged_has_a_proof() -> None:
    # A lease is forgotten in one step, and no event tells of it: there is nothing to be early.
    assert {kind.model for kind in KINDS} == set(REMOVAL_TABLE) - {Lease}
    assert {f"unplug-{kind.name}" for kind in KINDS} <= set(proof_names())


@pytest.mark.parametrize("kind", KINDS, ids=by_name)
def test_the_first_schedules_of_each_type_break_no_promise(kind: Kind) -> None:
    verdict = proof_named(f"unplug-{kind.name}").run(Effort(schedules=SHORT))
    assert [part.violation for part in verdict.parts] == [None] * len(RIVALS)
    assert all(part.is_complete or part.runs == SHORT for part in verdict.parts)


def test_a_part_of_a_proof_ends_by_itself() -> None:
    with watching() as watch:
        story = play_of(by_name["input-usb"], by_rival["query"])
        part = search("query", story, watch, 1000)
    assert part.violation is None
    assert part.is_complete
    assert part.classes == part.runs > 10


def play_of(kind: Kind, rival: Rival) -> Story:
    async def story(window: Window) -> None:
        await play(kind, rival, window)

    return story


@pytest.mark.parametrize(
    ("kind", "rival", "seed"),
    [
        ("rng", "detach it too", 1),
        ("disk-scsi", "attach the same alias", 2),
        ("hostdev-pci-managed", "query", 3),
    ],
)
def test_steps_that_are_said_to_have_nothing_in_common_commute(
    kind: str, rival: str, seed: int
) -> None:
    with watching() as watch:
        chooser = Eager(RandomWalk(seed), lambda _: False)
        window = Window(chooser, watch)

        async def program() -> None:
            with labelled_only():
                await play(by_name[kind], by_rival[rival], window)

        run = simulate(program, chooser=chooser, footprints=True)
        tried, wrong = check_swaps(program, run, watch.begun_at)
    assert run.error is None
    assert wrong == []
    assert tried > 10
