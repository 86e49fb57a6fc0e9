"""``<video>`` and ``<sound>``: cards for screen and sound."""

from __future__ import annotations

from pyvirt_trio.models import GuestAddress, PciAddress, Sound, UsbAddress, Video
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader

VIDEO_MODELS = ("vga", "cirrus", "bochs", "virtio", "qxl", "ramfb", "none")
SOUND_MODELS = ("ac97", "es1370", "ich6", "ich9", "sb16", "usb")
CODECS = ("duplex", "micro", "output")

_VGA_KIB = 16 << 10
_QXL_KIB = 64 << 10
_DEFAULT_VRAM = {"vga": _VGA_KIB, "cirrus": _VGA_KIB, "bochs": _VGA_KIB, "qxl": _QXL_KIB}
MAX_VRAM_KIB = 1 << 20
MAX_HEADS = 16
"""QEMU's limit for virtio (``VIRTIO_GPU_MAX_SCANOUTS``)."""

MAX_PIXELS = 1 << 15


def read_video(reader: Reader) -> Video:
    """A ``Video`` from ``<video>``; without a model it is libvirt's default, a ``cirrus``."""
    driver = reader.child("driver")
    if driver is not None:
        driver.choice("name", "qemu", default="qemu")
    model = reader.child("model")
    if model is None:
        return Video(vram_kib=_VGA_KIB)
    kind = model.choice("type", *VIDEO_MODELS, default="cirrus")
    vram = _DEFAULT_VRAM.get(kind)
    if vram is not None:
        vram = model.integer("vram", default=vram, minimum=1, maximum=MAX_VRAM_KIB)
    is_qxl = kind == "qxl"
    return Video(
        model=kind,
        is_primary=model.switch("primary", "yes", "no", default=False),
        heads=model.integer("heads", default=1, minimum=1, maximum=MAX_HEADS),
        vram_kib=_power_of_two(vram) if vram is not None and kind in ("vga", "qxl") else vram,
        ram_kib=_read_kib(model, "ram", _QXL_KIB) if is_qxl else None,
        vgamem_kib=_read_kib(model, "vgamem", _VGA_KIB) if is_qxl else None,
        resolution=_read_resolution(model),
    )


def _read_kib(model: Reader, name: str, default: int) -> int:
    return _power_of_two(model.integer(name, default=default, minimum=1, maximum=MAX_VRAM_KIB))


def _power_of_two(value: int) -> int:
    """``value``, rounded up: QEMU takes no other sizes."""
    return 1 << (value - 1).bit_length()


def _read_resolution(model: Reader) -> tuple[int, int] | None:
    found = model.child("resolution")
    if found is None:
        return None
    return (
        found.integer("x", minimum=1, maximum=MAX_PIXELS),
        found.integer("y", minimum=1, maximum=MAX_PIXELS),
    )


def write_video(video: Video) -> Element:
    """The element that ``read_video`` reads."""
    size = video.resolution
    return element(
        "video",
        None,
        element(
            "model",
            {
                "type": video.model,
                "ram": video.ram_kib,
                "vram": video.vram_kib,
                "vgamem": video.vgamem_kib,
                "heads": None if video.model == "none" else video.heads,
                "primary": "yes" if video.is_primary else None,
            },
            None if size is None else element("resolution", {"x": size[0], "y": size[1]}),
        ),
    )


def _video_address(video: Video) -> type[GuestAddress] | None:
    return None if video.model in ("ramfb", "none") else PciAddress


def read_sound(reader: Reader) -> Sound:
    """A ``Sound`` from ``<sound>``."""
    model = reader.choice("model", *SOUND_MODELS)
    found = (child.take() for child in reader.children if child.tag == "codec")
    return Sound(model=model, codecs=tuple(codec.choice("type", *CODECS) for codec in found))


def write_sound(sound: Sound) -> Element:
    """The element that ``read_sound`` reads."""
    codecs = [element("codec", {"type": codec}) for codec in sound.codecs]
    return element("sound", {"model": sound.model}, *codecs)


def _sound_address(sound: Sound) -> type[GuestAddress] | None:
    if sound.model == "sb16":  # on the ISA bus
        return None
    return UsbAddress if sound.model == "usb" else PciAddress


VIDEO = DeviceType(
    tag="video", model=Video, read=read_video, write=write_video, address=_video_address
)
SOUND = DeviceType(
    tag="sound", model=Sound, read=read_sound, write=write_sound, address=_sound_address
)
