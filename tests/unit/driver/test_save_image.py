"""Heads of saved machines: what is written is read, and nothing else is."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pyvirt_trio.driver.save_image import ALIGNMENT, Head, decode
from pyvirt_trio.errors import ErrorCode, HostError

STREAM = b"QEVM and what QEMU wrote"

xml = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def image(head: Head) -> bytes:
    """A complete image, sealed as `Domain.save` does it."""
    size = len(head.encode()) + len(STREAM)
    return Head(xml=head.xml, was_running=head.was_running, file_bytes=size).encode() + STREAM


@given(xml, st.booleans())
def test_what_is_sealed_is_found_in_front_of_the_stream(text: str, was_running: bool) -> None:
    data = image(Head(xml=text, was_running=was_running))
    head, start = decode(data, len(data), "i")
    assert (text, was_running) == (head.xml, head.was_running)
    assert data[start:] == STREAM
    assert start % ALIGNMENT == 0


@given(xml, st.booleans())
def test_sealing_does_not_move_the_stream(text: str, was_running: bool) -> None:
    before = Head(xml=text, was_running=was_running)
    after = Head(xml=text, was_running=was_running, file_bytes=2**63)
    assert len(before.encode()) == len(after.encode())


@given(xml, st.data())
def test_no_damaged_head_is_taken(text: str, data: st.DataObject) -> None:
    whole = image(Head(xml=text, was_running=True))
    length = len(whole) - len(STREAM)
    place = data.draw(st.integers(0, length - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    broken = whole[:place] + bytes([value]) + whole[place + 1 :]
    with pytest.raises(HostError) as refusal:
        decode(broken, len(broken), "i")
    assert refusal.value.code is ErrorCode.OPERATION_FAILED


@given(xml, st.data())
def test_no_image_of_another_length_is_taken(text: str, data: st.DataObject) -> None:
    whole = image(Head(xml=text, was_running=True))
    kept = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(HostError):
        decode(whole[:kept], kept, "i")
    with pytest.raises(HostError, match="is damaged: it has"):
        decode(whole + b"!", len(whole) + 1, "i")


@given(st.binary(max_size=200))
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(HostError, match="image magic is incorrect"):
        decode(data, len(data), "i")


def test_an_image_that_was_never_finished_says_so() -> None:
    data = Head(xml="<domain/>", was_running=True).encode() + STREAM
    with pytest.raises(HostError, match="'i' is incomplete"):
        decode(data, len(data), "i")


def test_an_image_of_a_later_format_is_named_as_such() -> None:
    data = image(Head(xml="", was_running=True)).replace(b'"version": 1', b'"version": 2')
    with pytest.raises(HostError, match="'i' has version 2, expected 1"):
        decode(data, len(data), "i")
