"""What all character devices share: the host's end of them."""

from __future__ import annotations

from pyvirt_trio.models import CharacterSource
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import checked_path

_SOCKETS = ("unix", "tcp")


def read_character_source(reader: Reader, *allowed: str) -> CharacterSource:
    """The host's end: attribute ``type`` and the child ``source``.

    A terminal (``pty``) is refused: nobody would read it while no client is connected, and the
    guest could stall on it.

    Args:
        reader: The device.
        allowed: The kinds it may be; all when none is given.
    """
    kind = reader.choice("type", *(allowed or ("null", "file", *_SOCKETS)))
    if kind == "null":
        return CharacterSource()
    source = reader.required_child("source")
    if kind == "file":
        return CharacterSource(kind=kind, path=_path(source))
    is_server = source.choice("mode", "bind", "connect") == "bind"
    if kind == "unix":
        return CharacterSource(kind=kind, path=_path(source), is_server=is_server)
    protocol = reader.child("protocol")
    if protocol is not None:
        protocol.choice("type", "raw", default="raw")
    host, service = source.required("host"), source.required("service")
    return CharacterSource(kind=kind, host=host, service=service, is_server=is_server)


def _path(source: Reader) -> str:
    return checked_path(source, source.required("path"), attribute="path")


def source_element(source: CharacterSource) -> Element | None:
    """The child ``source``; the caller writes the attribute ``type``."""
    if source.kind == "null":
        return None
    mode = None
    if source.kind in _SOCKETS:
        mode = "bind" if source.is_server else "connect"
    place = {"path": source.path, "host": source.host, "service": source.service}
    return element("source", {"mode": mode, **place})
