"""``replays``: every tape of a search, in many fresh processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import attrs
import cyclopts

from pyvirt_sim.campaign import StoreError
from pyvirt_sim.campaign.replays import recorded_in, replay_everywhere


def replays(
    file: Path,
    *,
    processes: int = 20,
    as_json: Annotated[bool, cyclopts.Parameter("--json", negative="")] = False,
) -> int:
    """Replay what a search has found in new processes, each with another hash seed.

    Exit status: 0 when every tape gave one digest everywhere, 1 otherwise, 2 when the file holds no
    tapes.

    Args:
        file: What `zoo run --json` or `campaign --json` has printed.
        processes: How many.
        as_json: Print JSON instead of text.
    """
    try:
        tapes = recorded_in(file)
        if not tapes:
            raise StoreError(f"{file}: there is no tape in it")
        outcomes = replay_everywhere(tapes, processes=processes)
    except (StoreError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    same = sum(one.is_same_everywhere for one in outcomes)
    if as_json:
        facts = {"tapes": len(outcomes), "processes": processes, "same": same}
        print(json.dumps({**facts, "replays": [attrs.asdict(one) for one in outcomes]}, indent=2))
    else:
        for one in outcomes:
            if not one.is_same_everywhere:
                print(f"{one.recorded.subject}: {' '.join(sorted(set(one.digests)))}")
        print(f"{same} of {len(outcomes)} tapes gave one digest in {processes} processes")
    return 0 if same == len(outcomes) else 1
