"""The same requests to a real libvirtd and to ours: what differs is listed, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt import differences, ours, theirs
from tests.conformance.libvirt.requests import REQUESTS


@pytest.mark.real_libvirt
@pytest.mark.real_qemu
def test_only_listed_requests_are_answered_otherwise_than_by_libvirt(
    linux_guest: Guest, tmp_path: Path
) -> None:
    expected = theirs.play(REQUESTS, linux_guest, tmp_path / "theirs")
    answers = ours.play(REQUESTS, linux_guest, tmp_path / "ours")
    assert len(REQUESTS) == len(expected) == len(answers)
    found = differences.found(expected, answers)
    listed = differences.listed()
    unlisted = [one for one in found if one not in listed]
    outdated = [one for one in listed if one not in found]
    assert not unlisted
    assert not outdated


def test_each_difference_has_a_reason() -> None:
    assert {one.why for one in differences.listed()} <= set(differences.REASONS)


def test_the_page_is_what_is_listed() -> None:
    assert differences.page() == differences.PAGE.read_text()
