"""Tapes give the same digests in a hundred fresh processes with a hundred hash seeds."""

from __future__ import annotations

import json
import sys
from typing import Final

from pyvirt_sim.engine.selftest.check import Verdict
from pyvirt_sim.engine.selftest.fresh import Fresh, run_fresh
from pyvirt_sim.engine.selftest.recordings import record, replay_recordings

__all__ = ["check"]

PROCESSES: Final = 100


def child() -> None:
    """Replay the tapes of the command line and print what came of them."""
    print(json.dumps(replay_recordings(sys.argv[1])))


def check(processes: int = PROCESSES) -> Verdict:
    """Record runs, and replay them in fresh processes."""
    tapes, expected = record()
    arguments = ["-c", f"from {__name__} import child; child()", json.dumps(tapes)]
    seeds = range(1, processes + 1)
    texts = run_fresh([Fresh(arguments, hash_seed=seed) for seed in seeds])
    found = [json.loads(text) for text in texts]
    wrong = {
        f"{name}: {one[name]} instead of {expected[name]}"
        for one in found
        for name in expected
        if one[name] != expected[name]
    }
    same = sum(one == expected for one in found)
    digests = ", ".join(text[:12] for text in expected.values())
    return Verdict(
        f"{same} of {processes} processes give digests {digests}",
        tuple(sorted(wrong)),
        tuple(f"{name}: {tapes[name]}" for name in tapes),
    )
