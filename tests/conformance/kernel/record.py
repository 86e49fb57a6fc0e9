"""``python -m tests.conformance.kernel.record``: keep what a real kernel answers to the script.

The recording lets every machine, with QEMU or without, hold the simulated kernel to the real one in
a fraction of a second. The test marked ``real_vfio`` asks a real kernel each time.
"""

from __future__ import annotations

import json
from pathlib import Path

from pyvirt_sim.conformance.kernel.compare import Answer, play_real
from pyvirt_sim.conformance.kernel.script import CASES
from pyvirt_sim.conformance.real.nested import build_nested

RECORDING = Path(__file__).parent / "recorded-6.1.jsonl"


def main() -> None:
    """Write the recording: the kernel's release, then a step and its answer per line."""
    kernel, answers = play_real(build_nested())
    steps = [str(step) for case in CASES.values() for step in case]
    lines = [json.dumps({"step": s, **a}) for s, a in zip(steps, answers, strict=True)]
    RECORDING.write_text("\n".join([json.dumps({"kernel": kernel}), *lines]) + "\n")


def recording() -> tuple[str, list[str], list[Answer]]:
    """The recording: the kernel's release, the steps, and what it answered."""
    head, *lines = (json.loads(line) for line in RECORDING.read_text().splitlines())
    steps = [line.pop("step") for line in lines]
    return head["kernel"], steps, lines


if __name__ == "__main__":
    main()
