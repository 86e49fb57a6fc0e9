"""``python -m tests.conformance.libvirt``: both libvirts' answers to each request, side by side."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pyvirt_sim.conformance.real.guest import build_guest
from tests.conformance.libvirt import differences, ours, theirs
from tests.conformance.libvirt.answers import Answer
from tests.conformance.libvirt.requests import REQUESTS


def main() -> None:
    """Play both arms and print what they said."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.libvirt", description=__doc__
    )
    parser.add_argument("--only", default="", help="only requests whose name holds this text")
    parser.add_argument("--write", action="store_true", help="list what differs now as known")
    options = parser.parse_args()
    requests = [request for request in REQUESTS if options.only in request.name]
    with tempfile.TemporaryDirectory() as folder:
        guest = build_guest()
        expected = theirs.play(requests, guest, Path(folder, "theirs"))
        answers = ours.play(requests, guest, Path(folder, "ours"))
    for one, other in zip(expected, answers, strict=True):
        _print(one, other)
    if options.write and not options.only:
        differences.write(differences.found(expected, answers))
    same = sum(one == other for one, other in zip(expected, answers, strict=True))
    print(f"{len(answers)} requests, {same} answered alike")


def _print(expected: Answer, answer: Answer) -> None:
    differences = expected.differences(answer)
    print(f"{'DIFFERS' if differences else 'same':8}{expected.request}")
    for aspect in ("error", "events", "commands"):
        for who, one in (("libvirt", expected), ("ours", answer)):
            if aspect in differences:
                print(f"        {aspect} of {who}: {getattr(one, aspect)}")
            elif who == "ours" and getattr(one, aspect):
                print(f"        {aspect} of both: {getattr(one, aspect)}")


if __name__ == "__main__":
    main()
