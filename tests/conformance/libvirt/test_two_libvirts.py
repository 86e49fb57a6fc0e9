"""The same requests to a real libvirtd and to ours: what differs is listed, with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt import differences, page
from tests.conformance.libvirt.parts import PARTS, play, request_names


@pytest.mark.real_libvirt
@pytest.mark.real_qemu
@pytest.mark.parametrize("part", PARTS)
def test_only_listed_requests_are_answered_otherwise_than_by_libvirt(
    part: str, linux_guest: Guest, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    expected, answers = play(part, linux_guest, tmp_path)
    found = differences.found(expected, answers)
    otherwise = len({one.request for one in found})
    record_property("real_libvirt", (part, len(answers), len(answers) - otherwise, otherwise))
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
    assert page.page() == page.PAGE.read_text()


def test_no_two_requests_have_the_same_name() -> None:
    names = request_names()
    assert len(set(names)) == len(names)
