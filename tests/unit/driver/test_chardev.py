"""The host's end of a character device: the command line and the monitor say the same."""

from __future__ import annotations

import pytest

from pyvirt_trio.driver.chardev import chardev_backend, chardev_option
from pyvirt_trio.models import CharacterSource

SOURCES = [
    (CharacterSource(), "null,id=c", {"type": "null", "data": {}}),
    (
        CharacterSource(kind="file", path="/a,b"),
        "file,id=c,path=/a,,b,append=on",
        {"type": "file", "data": {"out": "/a,b", "append": True}},
    ),
    (
        CharacterSource(kind="unix", path="/s", is_server=True),
        "socket,id=c,path=/s,server=on,wait=off",
        {
            "type": "socket",
            "data": {
                "addr": {"type": "unix", "data": {"path": "/s"}},
                "server": True,
                "wait": False,
            },
        },
    ),
    (
        CharacterSource(kind="tcp", host="::1", service="5000"),
        "socket,id=c,host=::1,port=5000",
        {
            "type": "socket",
            "data": {
                "addr": {"type": "inet", "data": {"host": "::1", "port": "5000"}},
                "server": False,
                "telnet": False,
            },
        },
    ),
]


@pytest.mark.parametrize(("source", "option", "backend"), SOURCES)
def test_a_source_in_qemu_s_two_forms(
    source: CharacterSource, option: str, backend: dict[str, object]
) -> None:
    assert option == chardev_option("c", source)
    assert backend == chardev_backend(source)
