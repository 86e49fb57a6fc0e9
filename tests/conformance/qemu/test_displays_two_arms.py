"""What a monitor sees of servers of graphics: the same on a real QEMU and on ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from pyvirt_sim.host import open_sim_host
from pyvirt_trio.abc import Host
from pyvirt_trio.errors import CommandFailedError
from pyvirt_trio.host.real import RealHost
from pyvirt_trio.qmp.session import open_session
from tests.conformance.qemu.test_monitor_two_arms import connected

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 20
AUDIO = ["-audiodev", '{"id":"audio1","driver":"none"}']
VNC = "127.0.0.1:%d"
SERVERS: dict[str, list[str]] = {
    "nobody": [],
    "vnc": ["-vnc", f"{VNC},audiodev=audio1"],
    "vnc with a password": ["-vnc", f"{VNC},password=on,audiodev=audio1", "-k", "de"],
    "vnc that tells nobody": ["-vnc", "none,audiodev=audio1"],
    "vnc at a socket": ["-vnc", "vnc=unix:ROOT/vnc,share=force-shared,power-control=on"],
    "vnc with WebSocket": ["-vnc", "[::1]:%d,websocket=on,share=ignore"],
    "spice": ["-spice", "port=0,disable-ticketing=on,seamless-migration=on"],
    "spice with a ticket": ["-spice", "unix=on,addr=ROOT/spice,seamless-migration=on"],
    # What ends QEMU.
    "no such audio": ["-vnc", f"{VNC},audiodev=nobody"],
    "no such policy": ["-vnc", f"{VNC},share=foo"],
    "no such folder": ["-vnc", "vnc=unix:ROOT/none/vnc"],
}


def _questions() -> list[tuple[str, dict[str, Any]]]:
    asked: list[tuple[str, dict[str, Any]]] = [
        (query, {}) for query in ("query-vnc", "query-vnc-servers", "query-spice")
    ]
    for protocol in ("vnc", "spice", "foo"):
        password = {"protocol": protocol, "password": "x"}
        asked.append(("set_password", password))
        asked += [
            ("set_password", {**password, "connected": connected})
            for connected in ("keep", "fail", "disconnect", "foo")
        ]
        asked += [
            ("expire_password", {"protocol": protocol, "time": time})
            for time in ("now", "never", "+5", "1893456000", "soon")
        ]
    asked.append(("set_password", {"protocol": "vnc", "password": "x", "display": "other"}))
    asked.append(("set_password", {"protocol": "vnc", "password": "x", "display": "default"}))
    asked.append(("expire_password", {"protocol": "vnc", "time": "now", "display": "other"}))
    asked.append(("set_password", {"protocol": "vnc"}))
    asked.append(("change-vnc-password", {"password": "x"}))
    return [*asked, *asked[:3]]


async def said(host: Host, root: str, server: list[str], display: int) -> list[object]:
    """What a QEMU with that server answers, or its last words."""
    words = [word.replace("ROOT", root).replace("%d", str(display)) for word in server]
    argv = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-m", "16", *AUDIO]
    argv += ["-no-user-config", "-nodefaults", "-display", "none", "-S", *words]
    argv += ["-chardev", f"socket,id=charmonitor,path={root}/monitor,server=on,wait=off"]
    argv += ["-mon", "chardev=charmonitor,id=monitor,mode=control"]
    process = await host.start_process(argv, log_file=f"{root}/log")
    found: list[object] = []
    try:
        stream = await connected(host, f"{root}/monitor")
        async with open_session(stream) as session:
            for command, arguments in _questions():
                try:
                    found.append((command, await session.execute(command, arguments)))
                except CommandFailedError as error:
                    found.append((command, error.error_class, error.description))
    finally:
        process.kill()
        await process.wait()
    return found


async def last_words(host: Host, root: str, server: list[str], display: int) -> str:
    words = [word.replace("ROOT", root).replace("%d", str(display)) for word in server]
    argv = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-m", "16", *AUDIO]
    argv += ["-no-user-config", "-nodefaults", "-display", "none", "-S", *words]
    process = await host.start_process(argv, log_file=f"{root}/log")
    await process.wait()
    return (await host.read_text(f"{root}/log")).replace(root, "ROOT")


def free_display() -> int:
    host = RealHost()
    return next(port for port in range(7000, 9000) if host.is_port_free(port)) - 5900


@pytest.mark.parametrize("name", [name for name in SERVERS if not name.startswith("no such")])
async def test_the_same_is_said_of_a_server(name: str, tmp_path: Path) -> None:
    display = free_display()
    with trio.fail_after(PATIENCE_S):
        expected = await said(RealHost(), str(tmp_path), SERVERS[name], display)
        async with open_sim_host() as host:
            await host.make_directory(str(tmp_path))
            assert expected == await said(host, str(tmp_path), SERVERS[name], display)


@pytest.mark.parametrize("name", [name for name in SERVERS if name.startswith("no such")])
async def test_the_same_last_words(name: str, tmp_path: Path) -> None:
    display = free_display()
    with trio.fail_after(PATIENCE_S):
        expected = await last_words(RealHost(), str(tmp_path), SERVERS[name], display)
        async with open_sim_host() as host:
            await host.make_directory(str(tmp_path))
            assert expected == await last_words(host, str(tmp_path), SERVERS[name], display)
