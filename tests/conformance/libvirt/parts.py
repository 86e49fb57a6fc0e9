"""The parts of the comparison: each has a libvirtd and a hypervisor of ours to itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt import ours, theirs
from tests.conformance.libvirt.answers import Answer
from tests.conformance.libvirt.bare import bare_requests
from tests.conformance.libvirt.blocks import block_requests
from tests.conformance.libvirt.devices import device_requests
from tests.conformance.libvirt.fixed import fixed_requests
from tests.conformance.libvirt.guests import guest_requests
from tests.conformance.libvirt.inactive import inactive_requests
from tests.conformance.libvirt.lives import life_requests
from tests.conformance.libvirt.memory import memory_requests
from tests.conformance.libvirt.requests import Request
from tests.conformance.libvirt.saving import saving_requests
from tests.conformance.libvirt.screens import screen_requests
from tests.conformance.libvirt.vcpus import vcpu_requests

PARTS: Mapping[str, Callable[[Guest], list[Request]]] = {
    "devices": device_requests,
    "bare": bare_requests,
    "fixed": fixed_requests,
    "screens": screen_requests,
    "blocks": block_requests,
    "inactive": inactive_requests,
    "lives": life_requests,
    "saving": saving_requests,
    "vcpus": vcpu_requests,
    "guests": guest_requests,
    "memory": memory_requests,
}


def request_names() -> list[str]:
    """The names of all requests, in their order."""
    guest = Guest(Path("kernel"), Path("initrd"))
    return [request.name for requests in PARTS.values() for request in requests(guest)]


def play(part: str, guest: Guest, folder: Path) -> tuple[list[Answer], list[Answer]]:
    """libvirt's answers to the requests of a part, and ours; both are asked at the same time."""
    requests = PARTS[part](guest)
    expected: list[Answer] = []

    def play_theirs() -> None:
        expected.extend(theirs.play(requests, guest, folder / f"theirs-{part}"))

    libvirt = threading.Thread(target=play_theirs)
    libvirt.start()
    try:
        answers = ours.play(requests, guest, folder / f"ours-{part}")
    finally:
        libvirt.join()
    assert len(expected) == len(requests), "libvirt's arm has ended early"
    return expected, answers
