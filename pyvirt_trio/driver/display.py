"""Screens and sound in QEMU's terms, and the rules libvirt has for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from pyvirt_trio.driver.chardev import escaped
from pyvirt_trio.driver.qdev import place
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.display import Graphics, Listen, Sound, Video

AUDIO_BACKEND = "audio1"
"""libvirt's name of the one ``<audio id='1'>``."""

VIDEO_PLACE = PciAddress(0, 0, 1, 0)
"""Where libvirt puts the primary card: firmware of old looked there."""

ICH9_PLACE = PciAddress(0, 0, 0x1B, 0)
"""Where an ICH9 has its sound on real boards."""

VNC_BASE_PORT = 5900
"""VNC's display 0; QEMU is told displays."""

KIB_PER_MIB = 1024

_PRIMARY = {
    "vga": "VGA",
    "cirrus": "cirrus-vga",
    "bochs": "bochs-display",
    "virtio": "virtio-vga",
    "qxl": "qxl-vga",
    "ramfb": "ramfb",
}
_SECONDARY = {"virtio": "virtio-gpu-pci", "qxl": "qxl"}
_SOUND = {
    "ac97": "AC97",
    "es1370": "ES1370",
    "ich6": "intel-hda",
    "ich9": "ich9-intel-hda",
    "sb16": "sb16",
    "usb": "usb-audio",
}
_HAS_CODECS = ("ich6", "ich9")


def completed(devices: Iterable[Device]) -> list[Device]:
    """``devices`` with the card that a server of graphics needs, the primary one first.

    Raises:
        DefinitionError: These cards cannot be together (``CONFIG_UNSUPPORTED``).
    """
    present = list(devices)
    cards = [device for device in present if isinstance(device, Video)]
    if not cards and any(isinstance(device, Graphics) for device in present):
        cards = [Video(vram_kib=16 << 10)]
    if not cards:
        return present
    if len(cards) > 1 and any(card.model == "none" for card in cards):
        raise _unsupported(
            "a 'none' video type must be the only video device defined for the domain"
        )
    first = next((card for card in cards if card.is_primary), cards[0])
    others = [attrs.evolve(card, is_primary=False) for card in cards if card is not first]
    for card in others:
        if card.model not in _SECONDARY:
            raise _unsupported(f"video type '{card.model}' is only valid as primary video device")
    primary = attrs.evolve(first, is_primary=first.model != "none")
    ordered = iter([primary, *others])
    kept = [next(ordered) if isinstance(one, Video) else one for one in present]
    return [*kept, *ordered]


def preferred_place(device: Device, present: Iterable[Device]) -> PciAddress | None:
    """Where on the root bus libvirt puts ``device``, unless another device is there."""
    if isinstance(device, Video) and device.is_primary:
        wanted = VIDEO_PLACE
    elif isinstance(device, Sound) and device.model == "ich9":
        wanted = ICH9_PLACE
    else:
        return None
    is_taken = any(other.pci_address == wanted for other in present)
    return None if is_taken else wanted


def audio_options(devices: Sequence[Device]) -> list[str]:
    """What the command line says about who hears a guest with ``devices``."""
    if not any(isinstance(device, Graphics | Sound) for device in devices):
        return []
    driver = "spice" if has_spice(devices) else "none"
    return ["-audiodev", json.dumps({"id": AUDIO_BACKEND, "driver": driver})]


def has_spice(devices: Iterable[Device]) -> bool:
    """Whether clients of spice are served."""
    return any(isinstance(device, Graphics) and device.kind == "spice" for device in devices)


def graphics_options(graphics: Graphics) -> list[str]:
    """What the command line says about a server of graphics whose port is chosen."""
    keymap = [] if graphics.keymap is None else ["-k", graphics.keymap]
    if graphics.kind == "spice":
        return ["-spice", ",".join(_spice_words(graphics)), *keymap]
    return ["-vnc", ",".join(_vnc_words(graphics)), *keymap]


def _vnc_words(graphics: Graphics) -> list[str]:
    words = [_vnc_listen(graphics, graphics.listens[0])]
    if graphics.websocket is not None:
        words.append(f"websocket={graphics.websocket}")
    if graphics.share_policy is not None:
        words.append(f"share={graphics.share_policy}")
    if graphics.password is not None:
        words.append("password=on")
    if graphics.has_power_control is not None:
        words.append(f"power-control={'on' if graphics.has_power_control else 'off'}")
    return [*words, f"audiodev={AUDIO_BACKEND}"]


def _vnc_listen(graphics: Graphics, listen: Listen) -> str:
    if listen.kind == "none":
        return "none"
    assert listen.where is not None, "it was chosen when the life began"
    if listen.kind == "socket":
        return f"vnc=unix:{escaped(listen.where)}"
    address = f"[{listen.where}]" if ":" in listen.where else listen.where
    assert graphics.port is not None, "it was chosen when the life began"
    return f"{address}:{graphics.port - VNC_BASE_PORT}"


def _spice_words(graphics: Graphics) -> list[str]:
    listen = graphics.listens[0]
    if listen.kind == "socket":
        words = ["unix=on", f"addr={escaped(listen.where or '')}"]
    elif listen.kind == "none":
        words = ["port=0"]
    else:
        words = [f"port={graphics.port}", f"addr={listen.where}"]
    if graphics.password is None:
        words.append("disable-ticketing=on")
    return [*words, "seamless-migration=on"]


def video_card(video: Video) -> dict[str, Any] | None:
    """The arguments of ``device_add`` for a card, if there is any."""
    if video.model == "none":
        return None
    drivers = _PRIMARY if video.is_primary else _SECONDARY
    properties: dict[str, Any] = {"driver": drivers[video.model], "id": video.alias}
    if video.model in ("virtio", "qxl"):
        properties["max_outputs"] = video.heads
    properties.update(_video_memory(video))
    if video.resolution is not None:
        properties["xres"], properties["yres"] = video.resolution
    return properties if video.model == "ramfb" else {**properties, **place(video)}


def _video_memory(video: Video) -> dict[str, Any]:
    vram_kib, vgamem_kib = video.vram_kib or 0, video.vgamem_kib or 0
    match video.model:
        case "vga":
            return {"vgamem_mb": vram_kib // KIB_PER_MIB}
        case "bochs":
            return {"vgamem": vram_kib * 1024}
        case "qxl":
            return {
                "ram_size": (video.ram_kib or 0) * 1024,
                "vram_size": vram_kib * 1024,
                "vram64_size_mb": 0,
                "vgamem_mb": vgamem_kib // KIB_PER_MIB,
            }
        case _:
            return {}


def sound_card(sound: Sound) -> dict[str, Any]:
    """The arguments of ``device_add`` for a sound card."""
    properties: dict[str, Any] = {"driver": _SOUND[sound.model], "id": sound.alias}
    if sound.model not in _HAS_CODECS:
        properties["audiodev"] = AUDIO_BACKEND
    return properties if sound.model == "sb16" else {**properties, **place(sound)}


def codecs(device: Device) -> list[dict[str, Any]]:
    """The arguments of ``device_add`` for what sits on a sound card."""
    if not isinstance(device, Sound) or device.model not in _HAS_CODECS:
        return []
    return [
        {
            "driver": f"hda-{codec}",
            "id": f"{device.alias}-codec{number}",
            "bus": f"{device.alias}.0",
            "cad": number,
            "audiodev": AUDIO_BACKEND,
        }
        for number, codec in enumerate(device.codecs or ("duplex",))
    ]


def _unsupported(message: str) -> DefinitionError:
    return DefinitionError(message, code=ErrorCode.CONFIG_UNSUPPORTED)
