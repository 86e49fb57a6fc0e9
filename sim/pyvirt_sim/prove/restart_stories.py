"""What an operator does while the manager crashes: short stories that can be told again.

Each has a setting, which is made before any crash, and a request. After a crash the operator looks
whether the request is done, and makes it again if not; so every end is the same end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs
import trio

from pyvirt_sim.host import SimHost
from pyvirt_sim.qemu.image_head import ImageHead
from pyvirt_sim.scenarios.hot_unplug import (
    ADDRESS,
    CONSOLE,
    DOMAIN_XML,
    GUEST_IS_UP,
    HOSTDEV_XML,
    console_says,
)
from pyvirt_trio import DefinitionError, Domain, DomainState, Hypervisor
from pyvirt_trio.driver.journal import JOURNAL_LENGTH
from pyvirt_trio.models.events import BlockJobChanged, DomainEvent, JobCompleted

RNG_XML = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
DISK_XML = """<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='/images/top'/><target dev='vda' bus='virtio'/></disk>"""
MANAGED_XML = HOSTDEV_XML.replace("managed='no'", "managed='yes'")
WITH_HOSTDEV_XML = DOMAIN_XML.replace("</devices>", f"{MANAGED_XML}</devices>")
LARGER_XML = DOMAIN_XML.replace(">256<", ">512<")
LARGER_KIB = 512 * 1024
REMEMBERED = {"of": "the life that was saved"}
"""In a guest's memory, which a managed save keeps and a boot does not."""

ROOM_XML = DOMAIN_XML.replace("<vcpu>1<", "<vcpu current='1'>2<")
"""With a place for a processor that comes and goes."""
CORE = "/var/log/demo.core"

LOOK_PAUSE_S = 0.1
"""How often the operator looks at what takes its time."""

Act: TypeAlias = Callable[[Hypervisor, SimHost], Awaitable[None]]


@attrs.frozen
class Story:
    """One story.

    Args:
        name: Its name.
        setting: Makes the setting.
        request: Makes the request, unless it is done, and returns when it is done.
        takes_device: Whether that takes a device from the host without giving it to a domain.
    """

    name: str
    setting: Act
    request: Act
    takes_device: bool = False


def _demo(hypervisor: Hypervisor) -> Domain:
    return hypervisor.domain("demo")


def _has(hypervisor: Hypervisor, alias: str) -> bool:
    live = _demo(hypervisor).view.live
    return live is not None and live.device(alias) is not None


def _is_told(hypervisor: Hypervisor, kind: type[DomainEvent]) -> bool:
    latest = hypervisor.journal.latest(JOURNAL_LENGTH)
    return any(isinstance(record.event, kind) for record in latest)


async def _defined(hypervisor: Hypervisor, _host: SimHost) -> None:
    await hypervisor.define(DOMAIN_XML)


async def _defined_with_hostdev(hypervisor: Hypervisor, _host: SimHost) -> None:
    await hypervisor.define(WITH_HOSTDEV_XML)


async def _booted(hypervisor: Hypervisor, host: SimHost) -> None:
    await hypervisor.define(DOMAIN_XML)
    await _demo(hypervisor).start()
    await console_says(host, CONSOLE, GUEST_IS_UP)


async def _with_rng(hypervisor: Hypervisor, host: SimHost) -> None:
    await _booted(hypervisor, host)
    await _demo(hypervisor).attach_device(RNG_XML)


async def _with_hostdev(hypervisor: Hypervisor, host: SimHost) -> None:
    await _booted(hypervisor, host)
    await _demo(hypervisor).attach_device(MANAGED_XML)


async def _start(hypervisor: Hypervisor, _host: SimHost) -> None:
    if not _demo(hypervisor).status.is_active:
        await _demo(hypervisor).start()


async def _destroy(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _demo(hypervisor).status.is_active:
        await _demo(hypervisor).destroy()


async def _shut_down(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _demo(hypervisor).status.state is DomainState.RUNNING:
        await _demo(hypervisor).shutdown()
    while _demo(hypervisor).status.is_active:  # noqa: ASYNC110 - an operator looks again
        await trio.sleep(LOOK_PAUSE_S)


async def _suspend(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _demo(hypervisor).status.state is DomainState.RUNNING:
        await _demo(hypervisor).suspend()


async def _plug(hypervisor: Hypervisor, _host: SimHost) -> None:
    if not _has(hypervisor, "rng0"):
        await _demo(hypervisor).attach_device(RNG_XML)


async def _unplug(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _has(hypervisor, "rng0"):
        await _demo(hypervisor).detach_device("rng0")


async def _asked_to_unplug(hypervisor: Hypervisor, host: SimHost) -> None:
    await _with_rng(hypervisor, host)
    await _demo(hypervisor).request_detach("rng0")


async def _await_unplug(hypervisor: Hypervisor, _host: SimHost) -> None:
    while _has(hypervisor, "rng0"):  # noqa: ASYNC110 - an operator looks again
        await trio.sleep(LOOK_PAUSE_S)


async def _plug_hostdev(hypervisor: Hypervisor, _host: SimHost) -> None:
    if not _has(hypervisor, "hostdev0"):
        await _demo(hypervisor).attach_device(MANAGED_XML)


async def _unplug_hostdev(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _has(hypervisor, "hostdev0"):
        await _demo(hypervisor).detach_device("hostdev0")


async def _detach_from_host(hypervisor: Hypervisor, _host: SimHost) -> None:
    if ADDRESS not in hypervisor.host_devices.inactive:
        await (await hypervisor.node_device(ADDRESS.node_device_name)).detach()


async def _save(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _demo(hypervisor).status.is_active:
        await _demo(hypervisor).managed_save()


async def _saved(hypervisor: Hypervisor, host: SimHost) -> None:
    await _booted(hypervisor, host)
    host.processes()[-1].qemu.guest.memory |= REMEMBERED
    await _demo(hypervisor).managed_save()


async def _go_on(hypervisor: Hypervisor, host: SimHost) -> None:
    await _start(hypervisor, host)
    if not host.processes()[-1].qemu.guest.memory.items() >= REMEMBERED.items():
        raise AssertionError("the guest was booted: its managed save is lost")


async def _dump_memory(hypervisor: Hypervisor, _host: SimHost) -> None:
    """An operator cannot tell whether a core is whole, and asks for another."""
    await _demo(hypervisor).core_dump(CORE)


async def _dump_all(hypervisor: Hypervisor, _host: SimHost) -> None:
    if not _is_told(hypervisor, JobCompleted):
        await _demo(hypervisor).core_dump(CORE, memory_only=False)


async def _with_room(hypervisor: Hypervisor, host: SimHost) -> None:
    await hypervisor.define(ROOM_XML)
    await _demo(hypervisor).start()
    await console_says(host, CONSOLE, GUEST_IS_UP)


async def _with_processor(hypervisor: Hypervisor, host: SimHost) -> None:
    await _with_room(hypervisor, host)
    await _plug_processor(hypervisor, host)


async def _plug_processor(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _demo(hypervisor).definition.vcpu_count < 2:
        await _demo(hypervisor).set_vcpus(2)


async def _unplug_processor(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _demo(hypervisor).definition.vcpu_count > 1:
        await _demo(hypervisor).set_vcpus(1)


async def _with_layers(hypervisor: Hypervisor, host: SimHost) -> None:
    host.add_file("/images/top", ImageHead(1 << 20, "/images/base").encode())
    await _booted(hypervisor, host)
    await _demo(hypervisor).attach_device(DISK_XML)


async def _pull(hypervisor: Hypervisor, _host: SimHost) -> None:
    if not _is_told(hypervisor, BlockJobChanged):
        with contextlib.suppress(DefinitionError):  # the former manager has begun it
            await _demo(hypervisor).block_pull("vda")
    while not _is_told(hypervisor, BlockJobChanged):  # noqa: ASYNC110 - an operator looks again
        await trio.sleep(LOOK_PAUSE_S)


async def _define_larger(hypervisor: Hypervisor, _host: SimHost) -> None:
    persistent = _demo(hypervisor).view.persistent
    if persistent is None or persistent.memory_kib != LARGER_KIB:
        await hypervisor.define(LARGER_XML)


async def _rename(hypervisor: Hypervisor, _host: SimHost) -> None:
    if [domain.name for domain in hypervisor.domains()] == ["demo"]:
        await _demo(hypervisor).rename("other")


async def _undefine(hypervisor: Hypervisor, _host: SimHost) -> None:
    if _demo(hypervisor).is_persistent:
        await _demo(hypervisor).undefine()


STORIES: tuple[Story, ...] = (
    Story("start", _defined, _start),
    Story("start-with-hostdev", _defined_with_hostdev, _start),
    Story("destroy", _with_hostdev, _destroy),
    Story("shutdown", _booted, _shut_down),
    Story("suspend", _booted, _suspend),
    Story("hot-plug", _booted, _plug),
    Story("hot-unplug", _with_rng, _unplug),
    Story("hot-unplug-asked", _asked_to_unplug, _await_unplug),
    Story("hostdev-attach", _booted, _plug_hostdev),
    Story("hostdev-detach", _with_hostdev, _unplug_hostdev),
    Story("nodedev-detach", _defined, _detach_from_host, takes_device=True),
    Story("save", _booted, _save),
    Story("restore", _saved, _go_on),
    Story("core-dump", _booted, _dump_memory),
    Story("dump", _booted, _dump_all),
    Story("vcpu-plug", _with_room, _plug_processor),
    Story("vcpu-unplug", _with_processor, _unplug_processor),
    Story("block-pull", _with_layers, _pull),
    Story("rename", _defined, _rename),
    Story("define-over-running", _booted, _define_larger),
    Story("undefine-running", _booted, _undefine),
)
"""All stories; a new one is a line here."""
