"""The same requests to a real libvirtd and to ours: what differs is listed, with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt import differences, ours, theirs
from tests.conformance.libvirt.lives import life_requests
from tests.conformance.libvirt.requests import Request, device_requests


@pytest.mark.real_libvirt
@pytest.mark.real_qemu
@pytest.mark.parametrize("part", [device_requests, life_requests])
def test_only_listed_requests_are_answered_otherwise_than_by_libvirt(
    part: Callable[[Guest], list[Request]], linux_guest: Guest, tmp_path: Path
) -> None:
    requests = part(linux_guest)
    expected = theirs.play(requests, linux_guest, tmp_path / "theirs")
    answers = ours.play(requests, linux_guest, tmp_path / "ours")
    found = differences.found(expected, answers)
    names = {request.name for request in requests}
    listed = [one for one in differences.listed() if one.request in names]
    unlisted = [one for one in found if one not in listed]
    outdated = [one for one in listed if one not in found]
    assert not unlisted
    assert not outdated


def test_each_difference_has_a_reason() -> None:
    reasons = {one.why for one in differences.listed()}
    assert reasons <= set(differences.REASONS) - {differences.OPEN}


def test_the_page_is_what_is_listed() -> None:
    assert differences.page() == differences.PAGE.read_text()
