"""What no domain can have is said to be missing, or not to change, in libvirt's words."""

from __future__ import annotations

import pytest

from pyvirt_trio.driver.unrepresented import refuse_unrepresented
from pyvirt_trio.errors import DefinitionError, NotFoundError
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.xml.devices import parse_description

LIVE, CONFIG = Impact.LIVE, Impact.CONFIG
NINE_P = "<filesystem type='mount'><source dir='/a'/><target dir='b'/></filesystem>"
LEGACY = "<shmem name='a'><model type='ivshmem'/></shmem>"
LEGACY_TEXT = "model 'ivshmem' shmem device not present in domain configuration"
MISSING, UNSUPPORTED, INVALID, STATE, CONFIG_UNSUPPORTED = 99, 84, 8, 55, 67


@pytest.mark.parametrize(
    ("xml", "impact", "code", "text"),
    [
        (NINE_P, LIVE, MISSING, "matching filesystem not found"),
        (NINE_P, LIVE | CONFIG, MISSING, "no matching filesystem device was found"),
        ("<input type='mouse' bus='ps2'/>", CONFIG, MISSING, "matching input device not found"),
        ("<redirdev bus='usb' type='pty'/>", LIVE, STATE, "no matching redirdev was not found"),
        ("<redirdev bus='usb' type='pty'/>", CONFIG, MISSING, "no matching redirdev was not found"),
        (LEGACY, LIVE, MISSING, LEGACY_TEXT),
        (LEGACY, CONFIG, MISSING, "matching shmem device was not found"),
    ],
)  # fmt: skip
def test_it_is_not_there(xml: str, impact: Impact, code: int, text: str) -> None:
    with pytest.raises(NotFoundError) as refusal:
        refuse_unrepresented(parse_description(xml), "detach", impact)
    assert (code, text) == (refusal.value.code, str(refusal.value))


@pytest.mark.parametrize(
    ("xml", "impact", "code", "text"),
    [
        (NINE_P, LIVE, CONFIG_UNSUPPORTED, "live update of device 'filesystem' is not supported"),
        (LEGACY, LIVE | CONFIG, UNSUPPORTED,
         "persistent update of device 'shmem' is not supported"),
        ("<graphics type='sdl'/>", LIVE, MISSING,
         "cannot find existing graphics device to modify of type 'sdl'"),
        ("<graphics type='sdl'/>", CONFIG, INVALID,
         "cannot find existing graphics type 'sdl' device to modify"),
    ],
)  # fmt: skip
def test_it_does_not_change(xml: str, impact: Impact, code: int, text: str) -> None:
    with pytest.raises((NotFoundError, DefinitionError)) as refusal:
        refuse_unrepresented(parse_description(xml), "update", impact)
    assert (code, text) == (refusal.value.code, str(refusal.value))


@pytest.mark.parametrize(
    "xml",
    [
        "<input type='tablet' bus='usb'/>",
        "<filesystem type='mount'><driver type='virtiofs'/></filesystem>",
        "<shmem name='a'><model type='ivshmem-plain'/></shmem>",
        "<shmem name='a'><model type='ivshmem-doorbell'/><server path='/a'/></shmem>",
        "<redirdev bus='usb' type='unix'/>",
        "<graphics type='vnc'/>",
        "<disk type='network'/>",
    ],
)
def test_what_can_be_there_is_looked_for(xml: str) -> None:
    for call in ("detach", "update"):
        refuse_unrepresented(parse_description(xml), call, LIVE)
