"""What is shared with the host, in QEMU's terms: vsock and virtiofs."""

from __future__ import annotations

from typing import Any

from pyvirt_trio.driver.chardev import chardev_backend, chardev_option
from pyvirt_trio.driver.qdev import Backend, place
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.character import CharacterSource
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.sharing import Filesystem, Vsock


def vsock(device: Vsock) -> dict[str, Any]:
    """The arguments of ``device_add``; QEMU opens ``/dev/vhost-vsock`` itself."""
    return {
        "driver": "vhost-vsock-pci",
        "id": device.alias,
        "guest-cid": device.cid,
        **place(device),
    }


def filesystem_backend(device: Filesystem) -> tuple[Backend, ...]:
    """The connection to the virtiofsd, under libvirt's name for it."""
    name = f"chr-vu-{device.alias}"
    source = CharacterSource(kind="unix", path=device.socket)
    return (
        Backend(
            argv=("-chardev", chardev_option(name, source)),
            add="chardev-add",
            arguments={"id": name, "backend": chardev_backend(source)},
            delete="chardev-remove",
            identity={"id": name},
        ),
    )


def filesystem(device: Filesystem) -> dict[str, Any]:
    """The arguments of ``device_add``."""
    queue = {} if device.queue_size is None else {"queue-size": device.queue_size}
    return {
        "driver": "vhost-user-fs-pci",
        "id": device.alias,
        "chardev": f"chr-vu-{device.alias}",
        **queue,
        "tag": device.tag,
        **place(device),
    }


def require_shared_memory(definition: DomainDefinition, device: Device) -> None:
    """The process that serves ``device`` can be given the memory of ``definition``.

    Raises:
        DefinitionError: It needs to, and cannot (``CONFIG_UNSUPPORTED``).
    """
    if isinstance(device, Filesystem) and not definition.has_shared_memory:
        raise DefinitionError(
            "'virtiofs' requires shared memory", code=ErrorCode.CONFIG_UNSUPPORTED
        )
