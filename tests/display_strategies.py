"""Hypothesis strategies for screens and sound."""

from __future__ import annotations

import hypothesis.strategies as st

from pyvirt_trio.models import Device, Graphics, Listen, Sound, Video
from tests.part_strategies import absolute_paths, guest_addresses, usb_addresses, xml_text

MAX_EXPIRY_S = 253402300799
"""The last second of the year 9999: libvirt's notation has four digits for a year."""


def displays(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[Device]:
    """Servers of graphics, and cards for screen and sound."""
    return st.one_of(graphics(), videos(alias), sounds(alias))


def listens(*kinds: str) -> st.SearchStrategy[Listen]:
    """Where a server waits."""
    address = st.none() | st.ip_addresses().map(str)
    strategies = {
        "address": st.builds(Listen, where=address),
        "socket": st.builds(Listen, kind=st.just("socket"), where=st.none() | absolute_paths()),
        "none": st.just(Listen(kind="none")),
    }
    return st.one_of(*(strategies[kind] for kind in kinds))


def graphics() -> st.SearchStrategy[Graphics]:
    """Servers of both kinds, with and without a port."""
    port = st.integers(1, 0xFFFF)
    expiry = st.none() | st.integers(0, MAX_EXPIRY_S)
    keymap = st.sampled_from([None, "de", "en-us"])
    common = {"keymap": keymap, "password_expires_s": expiry}
    vnc = {
        **common,
        "password": st.none() | xml_text(min_size=0, max_size=2),
        "websocket": st.none() | st.integers(-1, 0xFFFF),
        "connected": st.sampled_from([None, "keep"]),
        "share_policy": st.sampled_from([None, "allow-exclusive", "force-shared", "ignore"]),
        "has_power_control": st.none() | st.booleans(),
    }
    spice = {
        **common,
        "kind": st.just("spice"),
        "password": st.none() | xml_text(min_size=0),
        "connected": st.sampled_from([None, "keep", "fail", "disconnect"]),
    }
    reachable = st.lists(listens("address"), min_size=1, max_size=2).map(tuple)
    hidden = st.lists(listens("socket", "none"), min_size=1, max_size=2).map(tuple)
    chosen = {"port": st.none(), "has_autoport": st.just(True), "listens": reachable}
    fixed = {"port": port, "has_autoport": st.just(False), "listens": reachable}
    portless = {"port": st.none(), "has_autoport": st.just(False), "listens": hidden}
    return st.one_of(
        *(
            st.builds(Graphics, **kind, **where)
            for kind in (vnc, spice)
            for where in (chosen, fixed, portless)
        )
    )


def videos(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[Video]:
    """Cards of each model."""
    place = st.none() | guest_addresses()
    size = st.none() | st.tuples(st.integers(1, 1 << 15), st.integers(1, 1 << 15))
    power = st.integers(0, 20).map(lambda bits: 1 << bits)
    common = {
        "alias": alias,
        "is_primary": st.booleans(),
        "heads": st.integers(1, 16),
        "resolution": size,
    }
    kib = st.integers(1, 1 << 20)
    return st.one_of(
        st.builds(Video, model=st.just("vga"), vram_kib=power, address=place, **common),
        st.builds(
            Video, model=st.sampled_from(["cirrus", "bochs"]), vram_kib=kib, address=place, **common
        ),
        st.builds(Video, model=st.just("virtio"), address=place, **common),
        st.builds(
            Video,
            model=st.just("qxl"),
            vram_kib=power,
            ram_kib=power,
            vgamem_kib=power,
            address=place,
            **common,
        ),
        st.builds(Video, model=st.just("ramfb"), **common),
        st.builds(Video, model=st.just("none"), alias=alias),
    )


def sounds(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[Sound]:
    """Cards of each model."""
    codecs = st.lists(st.sampled_from(["duplex", "micro", "output"]), max_size=3).map(tuple)
    place = st.none() | guest_addresses()
    return st.one_of(
        st.builds(
            Sound,
            alias=alias,
            address=place,
            model=st.sampled_from(["ac97", "es1370", "ich6", "ich9"]),
            codecs=codecs,
        ),
        st.builds(Sound, alias=alias, model=st.just("sb16")),
        st.builds(Sound, alias=alias, address=st.none() | usb_addresses(), model=st.just("usb")),
    )
