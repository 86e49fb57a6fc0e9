"""The host's end of a character device in QEMU's terms.

The one kind of backend whose command line form is not the JSON of its monitor command.
"""

from __future__ import annotations

from typing import Any

from pyvirt_trio.models.character import CharacterSource


def chardev_option(name: str, source: CharacterSource) -> str:
    """The value of ``-chardev`` for a source; QEMU calls it ``name``."""
    match source.kind:
        case "null":
            return f"null,id={name}"
        case "file":
            return f"file,id={name},path={escaped(source.path or '')},append=on"
        case "unix":
            place = f"path={escaped(source.path or '')}"
        case _:
            place = f"host={escaped(source.host or '')},port={escaped(source.service or '')}"
    server = ",server=on,wait=off" if source.is_server else ""
    return f"socket,id={name},{place}{server}"


def chardev_backend(source: CharacterSource) -> dict[str, Any]:
    """The argument ``backend`` of ``chardev-add`` for a source."""
    more = {}
    match source.kind:
        case "null":
            return {"type": "null", "data": {}}
        case "file":
            return {"type": "file", "data": {"out": source.path, "append": True}}
        case "unix":
            address = {"type": "unix", "data": {"path": source.path}}
        case _:
            more = {"telnet": False}
            address = {"type": "inet", "data": {"host": source.host, "port": source.service}}
    wait = {"wait": False} if source.is_server else {}
    return {"type": "socket", "data": {"addr": address, "server": source.is_server, **wait, **more}}


def escaped(value: str) -> str:
    """``value`` for QEMU's ``key=value,...`` options, where a comma is written twice."""
    return value.replace(",", ",,")
