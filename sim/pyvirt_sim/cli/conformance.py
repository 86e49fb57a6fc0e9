"""``pyvirt-sim conformance``."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import Annotated, Any, Literal

import cyclopts

from pyvirt_sim.cli.kernel import kernel_conformance
from pyvirt_sim.cli.progress import Progress
from pyvirt_sim.conformance.campaign import Report, run_campaign
from pyvirt_sim.conformance.real_arm import play_real
from pyvirt_sim.conformance.shapes import SHAPES

MONITOR_PROGRAMS = 100
KERNEL_PROGRAMS = 20
Json = Annotated[bool, cyclopts.Parameter("--json", negative="")]


def conformance(
    *,
    arm: Literal["both", "sim"] = "both",
    programs: int | None = None,
    seed: int = 0,
    machine: str | None = None,
    kernel: Annotated[bool, cyclopts.Parameter("--kernel", negative="")] = False,
    as_json: Json = False,
) -> int:
    """Play generated programs of monitor commands on a real QEMU and on ours, and compare.

    Exit status: 0 when both said the same, 1 when they differed, 2 without a QEMU.

    Args:
        arm: Both, or only the simulated one, which is then held to QEMU's schema.
        programs: How many; 100 of monitor commands, 20 of sysfs and vfio.
        seed: The same seed makes the same programs.
        machine: Play all of them on this machine, a key of `pyvirt_sim.conformance.shapes.SHAPES`.
        kernel: Compare sysfs and vfio of a nested Linux with ours instead: a script of some 460
            steps, and then the programs; takes about a minute.
        as_json: Print JSON instead of text.
    """
    if kernel:
        count = KERNEL_PROGRAMS if programs is None else programs
        return kernel_conformance(programs=count, seed=seed, as_json=as_json)
    programs = MONITOR_PROGRAMS if programs is None else programs
    if arm == "both" and shutil.which("qemu-system-x86_64") is None:
        print("error: there is no qemu-system-x86_64 for the real arm")
        return 2
    if machine is not None and machine not in SHAPES:
        print(f"error: there is no machine {machine}; there are {', '.join(SHAPES)}")
        return 2
    play = play_real if arm == "both" else None
    with Progress("conformance", programs, is_shown=not as_json, unit="programs") as progress:
        report = run_campaign(programs, seed, play, progress.update, shape=machine)
    if as_json:
        print(json.dumps(_as_json(report), indent=2))
    else:
        print(_as_text(report))
    return 1 if report.differing else 0


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "programs": report.programs,
        "commands_compared": report.replies,
        "events_compared": report.events,
        "distinct_commands": len(report.commands_covered),
        "distinct_commands_succeeded": len(+report.succeeded),
        "distinct_events": len(report.events_covered),
        "differences": report.differing,
        "unsteady": len(report.unsteady),
        "model_gaps": sum(report.gaps.values()),
        "seconds": round(report.seconds, 1),
        "commands": _sorted(report.commands_covered),
        "commands_succeeded": _sorted(+report.succeeded),
        "events": _sorted(report.events_covered),
        "gaps": _sorted(report.gaps),
        "unsteady_differences": [difference.as_text() for difference in report.unsteady],
        "first_differences": [difference.as_text() for difference in report.differences],
    }


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _as_text(report: Report) -> str:
    said = f"{report.replies} replies and {report.events} events compared"
    commands = f"{len(report.commands_covered)} commands ({len(+report.succeeded)} successfully)"
    lines = [
        f"{report.programs} programs, {said} in {report.seconds:.1f} s",
        f"{commands} and {len(report.events_covered)} events covered",
        f"{sum(report.gaps.values())} steps left out, because the model ends there:",
        *(f"  {count} x {text}" for text, count in _sorted(report.gaps).items()),
        f"gone at a second try: {len(report.unsteady)}",
        *(difference.as_text() for difference in report.unsteady),
        f"differences: {report.differing}",
        *(difference.as_text() for difference in report.differences),
    ]
    return "\n".join(lines)
