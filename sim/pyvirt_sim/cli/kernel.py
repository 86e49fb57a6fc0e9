"""``pyvirt-sim conformance --kernel``."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import Any

from pyvirt_sim.conformance.kernel.compare import Comparison, compare
from pyvirt_sim.conformance.real.nested import NestedRunError, build_nested
from pyvirt_sim.conformance.real.packages import RealPartMissingError

MAX_SHOWN = 5
"""Differences printed in full."""


def kernel_conformance(*, programs: int, seed: int, as_json: bool) -> int:
    """Play sysfs and vfio steps on a nested Linux and on the simulated host.

    Exit status: 0 when both said the same, 1 when they differed, 2 without the real parts.

    Args:
        programs: How many random programs to play after the script.
        seed: The same seed makes the same programs.
        as_json: Print JSON instead of text.
    """
    if shutil.which("qemu-system-x86_64") is None:
        print("error: there is no qemu-system-x86_64 for the real kernel", file=sys.stderr)
        return 2
    begin_s = time.perf_counter()
    try:
        found = compare(build_nested(), programs, seed)
    except (RealPartMissingError, NestedRunError) as error:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        print(f"error: {error}{notes}", file=sys.stderr)
        return 2
    seconds = time.perf_counter() - begin_s
    print(json.dumps(_as_json(found, seconds), indent=2) if as_json else _as_text(found, seconds))
    return 1 if found.differences else 0


def _as_json(found: Comparison, seconds: float) -> dict[str, Any]:
    return {
        "kernel": found.kernel,
        "cases": found.cases,
        "steps_compared": found.steps,
        "steps_by_call": dict(sorted(found.calls.items())),
        "events_compared": found.events,
        "differences": len(found.differences),
        "model_gaps": list(found.gaps),
        "seconds": round(seconds, 1),
        "first_differences": [str(difference) for difference in found.differences[:MAX_SHOWN]],
    }


def _as_text(found: Comparison, seconds: float) -> str:
    compared = f"{found.steps} steps and {found.events} kernel events compared"
    lines = [
        f"Linux {found.kernel}: {found.cases} cases, {compared} in {seconds:.1f} s",
        *found.gaps,
        f"differences: {len(found.differences)}",
        *(str(difference) for difference in found.differences[:MAX_SHOWN]),
    ]
    return "\n".join(lines)
