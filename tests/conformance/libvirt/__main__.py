"""``python -m tests.conformance.libvirt``: both libvirts' answers to each request, side by side."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pyvirt_sim.conformance.real.guest import build_guest
from tests.conformance.libvirt import differences, ours, theirs
from tests.conformance.libvirt.answers import Answer
from tests.conformance.libvirt.lives import life_requests
from tests.conformance.libvirt.requests import device_requests


def main() -> None:
    """Play both arms and print what they said."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.libvirt", description=__doc__
    )
    parser.add_argument("--only", choices=("devices", "lives"), help="only these requests")
    parser.add_argument("--write", action="store_true", help="list what differs now as known")
    options = parser.parse_args()
    guest = build_guest()
    parts = {"devices": device_requests(guest), "lives": life_requests(guest)}
    requests = [part for name, part in parts.items() if options.only in (None, name)]
    expected: list[Answer] = []
    answers: list[Answer] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(requests):
            expected += theirs.play(part, guest, Path(folder, f"theirs{number}"))
            answers += ours.play(part, guest, Path(folder, f"ours{number}"))
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
