"""Announcing early breaks the founding promise for every type, and is found at once."""

from __future__ import annotations

from functools import partial

import pytest

from pyvirt_sim.prove.kinds import KINDS, Kind
from pyvirt_sim.prove.permuted import SCHEDULES, permutations, planted, sensitivities
from pyvirt_sim.prove.search import sample
from pyvirt_sim.prove.unplug import RIVALS, play
from pyvirt_trio.driver.removal import ANNOUNCE, QUERY_VCPUS, REMOVAL_TABLE

QUERY = RIVALS[0]


LEAVING = [pytest.param(kind, id=kind.name) for kind in KINDS if not kind.stays]


@pytest.mark.parametrize("kind", LEAVING)
def test_every_early_row_is_found_in_under_200_schedules(kind: Kind) -> None:
    early = [row for row in permutations(REMOVAL_TABLE[kind.model]) if row.is_early]
    row = REMOVAL_TABLE[kind.model]
    told = row.index(QUERY_VCPUS if kind.is_vcpu else ANNOUNCE)
    assert len(early) == told
    for permutation in early:
        with planted(kind, permutation.row):
            part = sample("early", partial(play, kind, QUERY), SCHEDULES)
        assert part.broken == "removed-means-gone", permutation.change
        assert part.runs < SCHEDULES


def test_a_backend_that_is_deleted_before_the_guest_lets_go_is_missed_when_it_refuses() -> None:
    """libvirt commit 81f765985ed9, and Proxmox's of the same kind."""
    rng = next(kind for kind in KINDS if kind.name == "rng")
    (found,) = (
        one for one in sensitivities(rng, 20) if one.change.startswith("'delete the backends' bef")
    )
    assert found.broken == "books-agree"
    assert found.story == "the guest refuses"


def test_the_table_is_whole_again_afterwards() -> None:
    before = dict(REMOVAL_TABLE)
    for permutation in permutations(REMOVAL_TABLE[KINDS[0].model]):
        with planted(KINDS[0], permutation.row):
            assert before != REMOVAL_TABLE
    assert before == REMOVAL_TABLE
