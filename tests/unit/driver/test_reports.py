"""Events that are only passed on: QEMU's words in libvirt's numbers."""

from __future__ import annotations

import uuid
from typing import Any, cast

import attrs
import pytest

from pyvirt_trio.driver.backends import backends
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.reactions import REACTIONS
from pyvirt_trio.models import Disk, DomainDefinition
from pyvirt_trio.models.events import (
    BlockThresholdExceeded,
    DomainEvent,
    GraphicsChanged,
    GraphicsPhase,
    MemoryFailed,
    MemoryFailureAction,
    MemoryFailureFlag,
    MemoryFailureRecipient,
)

ID = uuid.UUID(int=1)
STAMP: dict[str, Any] = {"domain": "demo", "uuid": ID, "life": 3}
DISK = Disk(alias="virtio-disk0", source_file="/images/a", target="vda", bus="virtio")


@attrs.define
class Stub:
    """A life that only remembers what it was to announce."""

    definition: DomainDefinition
    stamp = STAMP
    announced: list[DomainEvent] = attrs.field(factory=list[DomainEvent])

    def announce(self, status: object, *events: DomainEvent) -> None:
        assert status is None, "such an event changes no state"
        self.announced += events


@pytest.mark.parametrize(
    ("expected", "name", "data"),
    [
        (
            MemoryFailed(
                **STAMP,
                recipient=MemoryFailureRecipient.GUEST,
                action=MemoryFailureAction.INJECT,
                flags=MemoryFailureFlag.RECURSIVE,
            ),
            "MEMORY_FAILURE",
            {
                "recipient": "guest",
                "action": "inject",
                "flags": {"action-required": False, "recursive": True},
            },
        ),
        (
            BlockThresholdExceeded(
                **STAMP, target="vda", path="/images/a", threshold_bytes=100, excess_bytes=7
            ),
            "BLOCK_WRITE_THRESHOLD",
            {"node-name": "NODE", "write-threshold": 100, "amount-exceeded": 7},
        ),
        (
            GraphicsChanged(
                **STAMP,
                phase=GraphicsPhase.INITIALIZE,
                local="127.0.0.1:5917",
                remote="[::1]:51484",
                auth_scheme="none",
            ),
            "VNC_INITIALIZED",
            {
                "server": {
                    "auth": "none",
                    "family": "ipv4",
                    "service": "5917",
                    "host": "127.0.0.1",
                    "websocket": False,
                },
                "client": {
                    "family": "ipv6",
                    "service": "51484",
                    "host": "::1",
                    "websocket": False,
                },
            },
        ),
        (
            GraphicsChanged(
                **STAMP, phase=GraphicsPhase.DISCONNECT, local="/run/vnc", remote="", auth_scheme=""
            ),
            "VNC_DISCONNECTED",
            {
                "server": {"family": "unix", "service": "/run/vnc", "host": ""},
                "client": {"family": "unix", "service": "", "host": ""},
            },
        ),
    ],
)
def test_an_event_is_passed_on_in_libvirt_s_numbers(
    expected: DomainEvent, name: str, data: dict[str, Any]
) -> None:
    nodes = [one.identity["node-name"] for one in backends(DISK) if "node-name" in one.identity]
    data = {key: nodes[-1] if value == "NODE" else value for key, value in data.items()}
    life = Stub(DomainDefinition(name="demo", uuid=ID, memory_kib=1024, devices=(DISK,)))
    REACTIONS[name](cast("Life", life), data)
    assert [expected] == life.announced
