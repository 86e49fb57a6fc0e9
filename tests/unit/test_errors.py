"""What a libvirt client reads: the text, under libvirt's heading, without our own additions."""

from __future__ import annotations

import pytest

from pyvirt_trio.errors import (
    CommandFailedError,
    DefinitionError,
    ErrorCode,
    NotFoundError,
    PyvirtError,
)

MISSING = ErrorCode.DEVICE_MISSING


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        ("XML error: wrong", DefinitionError("wrong", path="/rng/@model")),
        ("device not found: disk vdz not found", NotFoundError("disk vdz not found", code=MISSING)),
        ("device not found: gone", NotFoundError("device not found: gone", code=MISSING)),
        (
            "internal error: unable to execute QEMU command 'device_add': no such bus",
            CommandFailedError("device_add", "GenericError", "no such bus"),
        ),
        ("it broke", PyvirtError("it broke", code=ErrorCode.SYSTEM_ERROR)),
    ],
)
def test_libvirt_text_has_the_heading_of_its_number_once(expected: str, error: PyvirtError) -> None:
    assert expected == error.libvirt_text
