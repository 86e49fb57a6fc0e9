"""Network streams where the real QEMU cannot be followed: the model ends instead of guessing."""

from __future__ import annotations

import pytest

from pyvirt_sim.conformance.program import Burst, Execute, Program
from pyvirt_sim.conformance.sim_arm import Gap, play_sim


def add(name: str, path: str = "$ROOT/net", **members: object) -> Execute:
    address = {"type": "unix", "path": path}
    return Execute("netdev_add", {"type": "stream", "id": name, "addr": address, **members})


DELETE = Execute("netdev_del", {"id": "c"})
SERVER = add("s", server=True)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([Burst((add("c"), DELETE))], "deleted as it opens"),
        ([Burst((SERVER, add("c")))], "a second network stream"),
        ([SERVER, add("t", server=True)], "a second network stream"),
        ([SERVER, add("c"), add("d")], "a second network stream"),
        ([add("c", "/no/such/folder/net")], "is not modelled"),
        ([add("c", "relative")], "is not modelled"),
        ([add("c", "$ROOT/monitor")], "is not modelled"),
    ],
)
def test_what_cannot_be_known_is_a_gap_at_that_step(steps, text):
    gap = play_sim(Program("q35", tuple(steps)))
    assert isinstance(gap, Gap)
    assert (gap.step, text in gap.text) == (len(steps) - 1, True)


def test_a_stream_that_has_opened_may_be_deleted():
    played = play_sim(Program("q35", (add("c"), DELETE, add("c"))))
    assert not isinstance(played, Gap)
    assert [[sorted(message) for message in heard] for heard in played.heard] == [
        [["id", "return"]]
    ] * 3
