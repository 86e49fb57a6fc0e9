"""Screens and sound on a real QEMU: every model comes up, and QEMU knows port and password."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from pyvirt_trio import open_hypervisor
from pyvirt_trio.models import Graphics
from tests.simulated.driver.test_display import LATER, LISTEN, domain_xml

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 30
_NAMES = ("video", "sound")
CARDS = {
    "vga and virtio": """
        <graphics type='vnc' listen='::1' websocket='-1' sharePolicy='ignore' powerControl='yes'/>
        <video><model type='vga'/></video><video><model type='virtio'/></video>
        <sound model='ich6'><codec type='micro'/><codec type='output'/></sound>
        <sound model='usb'/><controller type='usb' model='qemu-xhci'/>""",
    "qxl": """
        <graphics type='spice'><listen type='none'/></graphics>
        <video><model type='qxl'/></video><video><model type='qxl'/></video>
        <sound model='ac97'/><sound model='es1370'/>""",
    "bochs": """
        <graphics type='vnc'><listen type='socket'/></graphics><video><model type='bochs'/></video>
        <sound model='sb16'/>""",
    "virtio": """
        <graphics type='vnc'><listen type='none'/></graphics>
        <video><model type='virtio' heads='2'><resolution x='800' y='600'/></model></video>""",
    "ramfb": "<video><model type='ramfb'/></video>",
    "none": "<graphics type='vnc'/><video><model type='none'/></video>",
}


@pytest.mark.parametrize("name", CARDS)
async def test_every_card_comes_up_and_is_named(name: str, tmp_path: Path) -> None:
    uri = f"qemu:///embed?root={tmp_path}/vms"
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(uri, destroy_on_exit=True) as hypervisor:
            domain = await hypervisor.define(domain_xml(CARDS[name]))
            await domain.start(paused=True)
            there = await domain.running_life().execute("qom-list", {"path": "/machine/peripheral"})
            cards = CARDS[name].count("<video>") - (name == "none")
            expected = {f"video{number}" for number in range(cards)}
            expected |= {f"sound{number}" for number in range(CARDS[name].count("<sound"))}
            assert expected == {one["name"] for one in there if one["name"][:-1] in _NAMES}
            if cards:
                picture = await domain.screenshot()
                assert (picture.mime_type, picture.data[:4]) == ("image/png", b"\x89PNG")
            await domain.destroy()


@pytest.mark.parametrize("kind", ["vnc", "spice"])
async def test_a_password_is_known_to_qemu_and_can_be_changed(kind: str, tmp_path: Path) -> None:
    uri = f"qemu:///embed?root={tmp_path}/vms"
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(uri, destroy_on_exit=True) as hypervisor:
            xml = f"<graphics type='{kind}' autoport='yes' passwd='old'/>"
            domain = await hypervisor.define(domain_xml(xml))
            await domain.start(paused=True)
            answer = await domain.running_life().execute(f"query-{kind}")
            [server] = [one for one in domain.definition.devices if isinstance(one, Graphics)]
            port = answer["port"] if kind == "spice" else int(answer["service"])
            assert (kind, server.port) == (answer["auth"], port)
            changed = xml.replace("'old'", f"'new' passwdValidTo='{LATER}' {LISTEN}")
            updated = await domain.update_device(changed)
            assert isinstance(updated, Graphics)
            assert updated.password == "new"
            assert "passwd='new'" in domain.xml(secure=True)
            await domain.destroy()
