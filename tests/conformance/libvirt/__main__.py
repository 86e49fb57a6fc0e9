"""``python -m tests.conformance.libvirt``: both libvirts' answers to each request, side by side."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pyvirt_sim.conformance.real.guest import build_guest
from tests.conformance.libvirt import differences
from tests.conformance.libvirt.answers import ASPECTS, Answer
from tests.conformance.libvirt.page import PAGE, page
from tests.conformance.libvirt.parts import PARTS, play, request_names
from tests.conformance.libvirt.table import count_table, event_table


def main() -> None:
    """Play both arms and print what they said."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.libvirt", description=__doc__
    )
    parser.add_argument("--only", choices=tuple(PARTS), help="only this family of requests")
    parser.add_argument("--write", action="store_true", help="list what differs now as known")
    parser.add_argument("--events", action="store_true", help="print the events side by side only")
    options = parser.parse_args()
    guest = build_guest()
    played: dict[str, tuple[list[Answer], list[Answer]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in [options.only] if options.only else PARTS:
            played[part] = play(part, guest, Path(folder))
    expected = [one for theirs, _ in played.values() for one in theirs]
    answers = [one for _, ours in played.values() for one in ours]
    if options.events:
        print("\n".join(event_table(expected, answers)))
        return
    for one, other in zip(expected, answers, strict=True):
        _print(one, other)
    if options.write:
        differences.write(expected, answers, order=request_names())
        PAGE.write_text(page())
    print("\n".join(count_table(played)))


def _print(expected: Answer, answer: Answer) -> None:
    differs = expected.differences(answer)
    print(f"{'DIFFERS' if differs else 'same':8}{expected.request}")
    for aspect in ASPECTS:
        for who, one in (("libvirt", expected), ("ours", answer)):
            if aspect in differs:
                print(f"        {aspect} of {who}: {getattr(one, aspect)}")
            elif who == "ours" and getattr(one, aspect):
                print(f"        {aspect} of both: {getattr(one, aspect)}")


if __name__ == "__main__":
    main()
