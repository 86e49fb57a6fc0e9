"""The same requests to a real libvirtd and to ours: what differs is listed, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt import differences
from tests.conformance.libvirt.parts import PARTS, play


@pytest.mark.real_libvirt
@pytest.mark.real_qemu
@pytest.mark.parametrize("part", PARTS)
def test_only_listed_requests_are_answered_otherwise_than_by_libvirt(
    part: str, linux_guest: Guest, tmp_path: Path
) -> None:
    expected, answers = play(part, linux_guest, tmp_path)
    found = differences.found(expected, answers)
    names = {one.request for one in answers}
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


def test_no_two_requests_have_the_same_name() -> None:
    guest = Guest(Path("kernel"), Path("initrd"))
    names = [request.name for requests in PARTS.values() for request in requests(guest)]
    assert len(set(names)) == len(names)
