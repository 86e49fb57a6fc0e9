"""Screens and sound of simulated machines: how they come, what may change, what is told of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_trio import Domain, Hypervisor, Impact, open_hypervisor
from pyvirt_trio.errors import (
    CommandFailedError,
    DefinitionError,
    HostError,
    InvalidStateError,
    PyvirtError,
)
from pyvirt_trio.models import Graphics, Sound, Video

Clock = trio.testing.MockClock
LIVE, CONFIG = Impact.LIVE, Impact.CONFIG
URI = "qemu:///embed?root=/vms"
PATIENCE_S = 60
LISTEN = "listen='127.0.0.1'"
VNC = "<graphics type='vnc' keymap='de' passwd='old'/>"
LATER = "2030-01-01T00:00:00"
LATER_S = "1893456000"


def domain_xml(devices: str, name: str = "demo") -> str:
    return f"""
    <domain type='qemu'>
      <name>{name}</name><memory unit='MiB'>64</memory>
      <os><type arch='x86_64' machine='q35'>hvm</type></os>
      <devices>{devices}</devices>
    </domain>"""


@asynccontextmanager
async def machine() -> AsyncGenerator[tuple[SimHost, Hypervisor]]:
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
            yield host, hypervisor


def server(domain: Domain) -> Graphics:
    [found] = [one for one in domain.definition.devices if isinstance(one, Graphics)]
    return found


def command_line(host: SimHost) -> str:
    return " ".join(host.processes()[-1].argv)


def sent(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """The commands to QEMU from now on."""
    life, commands = domain.running_life(), list[tuple[str, object]]()
    execute = life.execute

    async def watched(command: str, arguments: dict[str, object] | None = None) -> object:
        commands.append((command, arguments))
        return await execute(command, arguments)

    monkeypatch.setattr(life, "execute", watched)
    return commands


async def test_a_server_gets_a_card_a_port_and_an_address(autojump_clock: Clock) -> None:
    async with machine() as (host, hypervisor):
        domain = await hypervisor.define(domain_xml("<graphics type='vnc'/>"))
        assert domain.definition.devices[-1] == Video(
            vram_kib=16384, is_primary=True, address=domain.definition.devices[-1].address
        )
        assert "bus='0x00' slot='0x01'" in domain.xml()
        await domain.start()
        assert server(domain).port == 5900
        assert "-vnc 127.0.0.1:0,audiodev=audio1" in command_line(host)
        assert '"driver": "cirrus-vga", "id": "video0"' in command_line(host)
        answer = await domain.running_life().execute("query-vnc")
        assert (answer["enabled"], answer["service"], answer["auth"]) == (True, "5900", "none")
        assert "port='-1' autoport='yes'" in domain.xml(inactive=True)


async def test_each_server_has_a_port_of_its_own_and_gives_it_back(autojump_clock: Clock) -> None:
    async with machine() as (host, hypervisor):
        xml = "<graphics type='vnc' websocket='-1'/>"
        host.claim_port(5901)  # by another program
        first = await hypervisor.define(domain_xml(xml, "first"))
        second = await hypervisor.define(domain_xml(xml, "second"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.start)
            nursery.start_soon(second.start)
        ports = {server(one).port for one in (first, second)}
        websockets = {server(one).websocket for one in (first, second)}
        assert (ports, websockets) == ({5900, 5902}, {5700, 5701})
        await first.destroy()
        await second.destroy()
        assert list(host.taken_ports) == [5901]


async def test_a_port_that_is_taken_ends_a_start_with_qemus_words(autojump_clock: Clock) -> None:
    async with machine() as (host, hypervisor):
        host.claim_port(5950)
        domain = await hypervisor.define(domain_xml("<graphics type='vnc' port='5950'/>"))
        with pytest.raises(HostError, match="Failed to find an available port: Address already"):
            await domain.start()
        assert not domain.status.is_active


@pytest.mark.parametrize(
    ("xml", "code", "text"),
    [
        ("<graphics type='vnc' port='100'/>", 67, "vnc port must be in range [5900,65535]"),
        ("<graphics type='vnc' autoport='no'/>", 67, "vnc port must be in range [5900,65535]"),
        (
            "<graphics type='vnc'/><graphics type='vnc'/>",
            67,
            "only 1 graphics device of each type (sdl, vnc, spice, headless, dbus) is supported",
        ),
    ],
)
async def test_what_cannot_be_served_is_refused_at_the_start(
    xml: str, code: int, text: str, autojump_clock: Clock
) -> None:
    async with machine() as (_, hypervisor):
        domain = await hypervisor.define(domain_xml(xml))
        with pytest.raises(PyvirtError) as refusal:
            await domain.start()
        assert (refusal.value.code, str(refusal.value)) == (code, text)


@pytest.mark.parametrize(
    ("xml", "code", "text"),
    [
        (
            "<video><model type='none'/></video><video><model type='vga'/></video>",
            67,
            "a 'none' video type must be the only video device defined for the domain",
        ),
        (
            "<video><model type='vga'/></video><video><model type='vga'/></video>",
            67,
            "video type 'vga' is only valid as primary video device",
        ),
        (
            "<graphics type='vnc' passwd='123456789'/>",
            67,
            "VNC password is 9 characters long, only 8 permitted",
        ),
        ("<graphics type='vnc' connected='fail'/>", 67, "VNC supports connected='keep' only"),
        ("<graphics type='vnc' connected='foo'/>", 67, "unknown connected value foo"),
        ("<graphics type='vnc' port='x'/>", 1, "cannot parse vnc port x"),
        (
            "<graphics type='vnc' passwdValidTo='2010-04'/>",
            1,
            "cannot parse password validity time '2010-04', expect YYYY-MM-DDTHH:MM:SS",
        ),
        (
            "<graphics type='foo'/>",
            27,
            "Invalid value for attribute 'type' in element 'graphics': 'foo'.",
        ),
    ],
)
async def test_what_cannot_be_is_refused_at_once_in_libvirts_words(
    xml: str, code: int, text: str, autojump_clock: Clock
) -> None:
    async with machine() as (_, hypervisor):
        with pytest.raises(PyvirtError) as refusal:
            await hypervisor.define(domain_xml(xml))
        assert refusal.value.code == code
        assert refusal.value.libvirt_text.endswith(f": {text}")


async def test_a_password_is_told_to_qemu_and_shown_to_nobody(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with machine() as (host, hypervisor):
        domain = await hypervisor.define(domain_xml(VNC))
        await domain.start()
        assert "-vnc 127.0.0.1:0,password=on,audiodev=audio1 -k de" in command_line(host)
        commands = sent(domain, monkeypatch)
        same = f"<graphics type='vnc' keymap='de' {LISTEN} "
        await domain.update_device(f"{same} passwd='old'/>")
        assert commands == []
        await domain.update_device(f"{same} passwd='new'/>")
        assert commands == [
            ("set_password", {"protocol": "vnc", "password": "new", "connected": "keep"}),
            ("expire_password", {"protocol": "vnc", "time": "never"}),
        ]
        await domain.update_device(f"{same} passwd='new' passwdValidTo='{LATER}'/>")
        assert commands[-1] == ("expire_password", {"protocol": "vnc", "time": LATER_S})
        await domain.update_device(f"{same} passwd='new' passwdValidTo='1999-12-31T23:59:59'/>")
        assert commands[-1] == ("expire_password", {"protocol": "vnc", "time": "now"})
        await domain.update_device(f"{same} passwd=''/>")
        assert commands[-1] == ("expire_password", {"protocol": "vnc", "time": "now"})
        await domain.update_device(f"{same} passwd='last'/>")
        assert "passwd='old'" in domain.xml(inactive=True, secure=True)
        assert "passwd='last'" in domain.xml(secure=True)
        assert "passwd" not in domain.xml() + domain.xml(inactive=True)
        assert "last" not in repr(domain.view)


async def test_a_machine_that_asks_for_no_password_gets_none(autojump_clock: Clock) -> None:
    async with machine() as (_, hypervisor):
        domain = await hypervisor.define(domain_xml("<graphics type='vnc'/>"))
        await domain.start()
        with pytest.raises(CommandFailedError, match="Could not set password"):
            await domain.update_device(f"<graphics type='vnc' {LISTEN} passwd='a'/>")
        assert server(domain).password is None


FIXED = {
    "listen='0.0.0.0'": "listen address setting on 'vnc' graphics",
    "": "listen address setting on 'vnc' graphics",
    f"{LISTEN} port='5900'": "port settings on vnc graphics",
    f"{LISTEN} keymap='fr'": "keymap setting on vnc graphics",
    f"{LISTEN} keymap='de' websocket='5800'": "websocket setting on vnc graphics",
    f"{LISTEN} keymap='de' sharePolicy='ignore'": "sharePolicy setting on vnc graphics",
    f"{LISTEN} keymap='de' powerControl='yes'": "powerControl setting on vnc graphics",
    "><listen type='none'/": "the type of listen address on 'vnc' graphics",
    "><listen type='address'/><listen type='address'/": (
        "the number of listen addresses on 'vnc' graphics"
    ),
}


@pytest.mark.parametrize("words", FIXED)
async def test_the_rest_of_a_running_server_is_fixed(words: str, autojump_clock: Clock) -> None:
    async with machine() as (_, hypervisor):
        domain = await hypervisor.define(domain_xml(VNC))
        await domain.start()
        before = domain.view
        ending = "></graphics>" if ">" in words else "/>"
        with pytest.raises(PyvirtError) as refusal:
            await domain.update_device(f"<graphics type='vnc' passwd='x' {words}{ending}")
        assert (refusal.value.code, str(refusal.value)) == (84, f"cannot change {FIXED[words]}")
        with pytest.raises(PyvirtError):  # and then the definition stays as well
            await domain.update_device(
                f"<graphics type='vnc' passwd='x' {words}{ending}", LIVE | CONFIG
            )
        assert domain.view == before
        await domain.update_device(f"<graphics type='vnc' passwd='x' {words}{ending}", CONFIG)
        assert "passwd='x'" in domain.xml(inactive=True, secure=True)


@pytest.mark.parametrize(
    ("impact", "code", "text"),
    [
        (LIVE, 99, "cannot find existing graphics device to modify of type 'spice'"),
        (CONFIG, 8, "cannot find existing graphics type 'spice' device to modify"),
    ],
)
async def test_a_server_that_is_not_there_is_missing(
    impact: Impact, code: int, text: str, autojump_clock: Clock
) -> None:
    async with machine() as (_, hypervisor):
        domain = await hypervisor.define(domain_xml(VNC))
        await domain.start()
        with pytest.raises(PyvirtError) as refusal:
            await domain.update_device("<graphics type='spice'/>", impact)
        assert (refusal.value.code, str(refusal.value)) == (code, text)


async def test_sound_comes_and_goes_in_the_definition_alone(autojump_clock: Clock) -> None:
    async with machine() as (host, hypervisor):
        domain = await hypervisor.define(domain_xml(""))
        await domain.start()
        sound = "<sound model='ich9'><codec type='micro'/></sound>"
        for call, word in ((domain.attach_device, "attach"), (domain.detach_device, "detach")):
            with pytest.raises(PyvirtError) as refusal:
                await call(sound, LIVE | CONFIG)
            text = f"live {word} of device 'sound' is not supported"
            assert (refusal.value.code, str(refusal.value)) == (84, text)
        await domain.attach_device(sound, CONFIG)
        await domain.destroy()
        await domain.start()
        [card] = [one for one in domain.definition.devices if isinstance(one, Sound)]
        assert (card.alias, str(card.address)) == ("sound0", "0000:00:1b.0")
        assert '"driver": "hda-micro", "id": "sound0-codec0"' in command_line(host)
        assert '-audiodev {"id": "audio1", "driver": "none"}' in command_line(host)
        assert "<audio id='1' type='none'/>" in domain.xml()
        await domain.detach_device("<sound model='ich9'/>", CONFIG)
        with pytest.raises(PyvirtError) as missing:
            await domain.detach_device("<sound model='ich9'/>", CONFIG)
        assert missing.value.code == 99
        assert "sound" not in domain.xml(inactive=True)


async def test_a_new_manager_knows_port_and_password(autojump_clock: Clock) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            async with open_hypervisor(URI, host=host) as hypervisor:
                domain = await hypervisor.define(domain_xml(VNC))
                await domain.start()
                before = domain.view.live
            async with open_hypervisor(URI, host=host) as hypervisor:
                domain = hypervisor.domain("demo")
                assert domain.view.live == before
                other = await hypervisor.define(domain_xml(VNC, "other"))
                await other.start()
                assert (server(domain).port, server(other).port) == (5900, 5901)
                await domain.destroy()
                await other.destroy()


async def test_who_hears_a_guest_is_who_sees_it(autojump_clock: Clock) -> None:
    async with machine() as (host, hypervisor):
        spice = "<graphics type='spice' autoport='yes'/><audio id='1' type='spice'/>"
        domain = await hypervisor.define(domain_xml(spice))
        await domain.start()
        assert '-audiodev {"id": "audio1", "driver": "spice"}' in command_line(host)
        options = "port=5900,addr=127.0.0.1,disable-ticketing=on,seamless-migration=on"
        assert f"-spice {options}" in command_line(host)
        with pytest.raises(PyvirtError):
            await hypervisor.define(domain_xml("<audio id='1' type='spice'/>", "silent"))


HEADS = """
    <video><model type='virtio' heads='2'/></video>
    <video><model type='virtio' heads='1'/></video>"""


async def test_a_picture_is_taken_of_each_head_of_each_card_and_leaves_nothing(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with machine() as (host, hypervisor):
        domain = await hypervisor.define(domain_xml(HEADS))
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await domain.screenshot()
        await domain.start()
        commands = sent(domain, monkeypatch)
        for screen in range(3):
            picture = await domain.screenshot(screen=screen)
            assert (picture.mime_type, picture.data) == ("image/png", b"PNG simulated picture\n")
        places: list[dict[str, object]] = [
            {},
            {"device": "video0", "head": 1},
            {"device": "video1"},
        ]
        for (command, arguments), place in zip(commands, places, strict=True):
            assert isinstance(arguments, dict)
            del arguments["filename"]
            assert (command, arguments) == ("screendump", {"format": "png", **place})
        for screen in (3, -1):
            with pytest.raises(InvalidStateError, match="no such screen ID"):
                await domain.screenshot(screen=screen)
        assert await domain.save_screenshot("/var/log/picture") == "image/png"
        assert await host.read_text("/var/log/picture") == "PNG simulated picture\n"
        with pytest.raises(HostError, match="Failed to create file '/nowhere/picture'"):
            await domain.save_screenshot("/nowhere/picture")
        with pytest.raises(DefinitionError, match="not an absolute path"):
            await domain.save_screenshot("picture")
        assert not [name for name in await host.list_directory("/vms/run") if "screen" in name]


async def test_no_picture_is_taken_where_there_is_no_screen(autojump_clock: Clock) -> None:
    async with machine() as (host, hypervisor):
        domain = await hypervisor.define(domain_xml(""))
        await domain.start()
        with pytest.raises(InvalidStateError, match="no screens to take screenshot from"):
            await domain.screenshot()
        other = await hypervisor.define(domain_xml("<video><model type='none'/></video>", "other"))
        await other.start()
        with pytest.raises(CommandFailedError, match="no console to take a screendump from"):
            await other.screenshot()
        assert not [name for name in await host.list_directory("/vms/run") if "screen" in name]


async def test_a_picture_that_a_dead_manager_was_reading_is_removed(autojump_clock: Clock) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            await host.make_directory("/vms/run")
            await host.replace_file("/vms/run/1.screen", "")
            async with open_hypervisor(URI, host=host):
                assert "1.screen" not in await host.list_directory("/vms/run")
