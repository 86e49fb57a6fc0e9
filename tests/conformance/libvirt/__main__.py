"""``python -m tests.conformance.libvirt``: both libvirts' answers to each request, side by side."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pyvirt_sim.conformance.real.guest import build_guest
from tests.conformance.libvirt import differences
from tests.conformance.libvirt.answers import ASPECTS, Answer
from tests.conformance.libvirt.parts import PARTS, play
from tests.conformance.libvirt.table import event_table


def main() -> None:
    """Play both arms and print what they said."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.libvirt", description=__doc__
    )
    parser.add_argument("--only", choices=tuple(PARTS), help="only these requests")
    parser.add_argument("--write", action="store_true", help="list what differs now as known")
    parser.add_argument("--table", action="store_true", help="print the events side by side only")
    options = parser.parse_args()
    guest = build_guest()
    expected: list[Answer] = []
    answers: list[Answer] = []
    with tempfile.TemporaryDirectory() as folder:
        for part in [options.only] if options.only else PARTS:
            theirs, ours = play(part, guest, Path(folder))
            expected += theirs
            answers += ours
    if options.table:
        print("\n".join(event_table(expected, answers)))
        return
    for one, other in zip(expected, answers, strict=True):
        _print(one, other)
    if options.write and not options.only:
        differences.write(differences.found(expected, answers))
    same = sum(one == other for one, other in zip(expected, answers, strict=True))
    print(f"{len(answers)} requests, {same} answered alike")


def _print(expected: Answer, answer: Answer) -> None:
    differences = expected.differences(answer)
    print(f"{'DIFFERS' if differences else 'same':8}{expected.request}")
    for aspect in ASPECTS:
        for who, one in (("libvirt", expected), ("ours", answer)):
            if aspect in differences:
                print(f"        {aspect} of {who}: {getattr(one, aspect)}")
            elif who == "ours" and getattr(one, aspect):
                print(f"        {aspect} of both: {getattr(one, aspect)}")


if __name__ == "__main__":
    main()
