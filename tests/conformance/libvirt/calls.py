"""Every call that is made of both libvirts: libvirt's method beside ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from pyvirt_trio import Domain, Hypervisor, Impact

MEMORY_ONLY, CRASH, RESET = 16, 1, 8
"""Flags of libvirt's ``virDomainCoreDump``."""

URI, KEY = "urn:pyvirt:example", "example"
_LINUX, _TITLE, _DESCRIPTION, _ELEMENT = 0, 1, 0, 2
_ACPI, _PAUSED, _GRACEFUL, _UNDEFINE_SAVED, _RUNNING, _STOPPED, _FORCE_BOOT = 1, 1, 1, 1, 2, 4, 8
_MAXIMUM, _HOTPLUGGABLE = 4, 16
_IN_BYTES, _SPEED_IN_BYTES, _ASYNC = 64, 1, 1
# Linux's number of each key that the requests name.
_KEYS = {"KEY_LEFTCTRL": 29, "KEY_A": 30, "KEY_LEFTALT": 56, "KEY_SYSRQ": 99}


@attrs.frozen
class Call:
    """One call, twice.

    Attributes:
        method: libvirt's, of its Python binding.
        arguments: What that takes, made of a request's argument and impact.
        ours: The same of this library.
    """

    method: str
    arguments: Callable[[str, Impact], tuple[Any, ...]]
    ours: Callable[[Any, str, Impact], Awaitable[Any]]


def _key_numbers(keys: str, _impact: Impact) -> tuple[Any, ...]:
    numbers = [_KEYS.get(key, 0x2FF) for key in keys.split()]
    return (_LINUX, 0, numbers, len(numbers), 0)


def _pull(domain: Domain, disk: str, bytes_per_s: int) -> Awaitable[None]:
    return domain.block_pull(disk, bytes_per_s=bytes_per_s)


def _limits(text: str) -> tuple[str, dict[str, int | str]]:
    """A disk and its limits, from ``vda total_iops_sec=10 group_name=room``."""
    disk, *words = text.split()
    pairs = (word.split("=") for word in words)
    return disk, {name: int(value) if value.isdigit() else value for name, value in pairs}


def _number(text: str) -> tuple[str, int]:
    """A disk and a number, from ``vda 10``."""
    disk, number = text.split()
    return disk, int(number)


OF_HYPERVISOR: Mapping[str, Call] = {
    "define": Call("define", lambda xml, _: (xml,), lambda one, xml, _: one.define(xml)),
    "create": Call(
        "create_transient", lambda xml, _: (xml, 0), lambda one, xml, _: one.create(xml)
    ),
    "create-paused": Call(
        "create_transient",
        lambda xml, _: (xml, _PAUSED),
        lambda one, xml, _: one.create(xml, paused=True),
    ),
    "restore": Call(
        "restore", lambda path, _: (path,), lambda one, path, _: one.restore_domain(path)
    ),
    "screenshot": Call(
        "screenshot_of",
        lambda words, _: tuple(words.split()),
        lambda one, words, _: one.domain(words.split()[0]).screenshot(screen=int(words.split()[1])),
    ),
    "restore-paused": Call(
        "restoreFlags",
        lambda path, _: (path, None, _STOPPED),
        lambda one, path, _: one.restore_domain(path, running=False),
    ),
}
"""Calls of a `Hypervisor`, by the names that requests give them."""

OF_DOMAIN: Mapping[str, Call] = {
    "start": Call("create", lambda *_: (), lambda one, *_: one.start()),
    "start-paused": Call(
        "createWithFlags", lambda *_: (_PAUSED,), lambda one, *_: one.start(paused=True)
    ),
    "start-anew": Call(
        "createWithFlags", lambda *_: (_FORCE_BOOT,), lambda one, *_: one.start(force_boot=True)
    ),
    "suspend": Call("suspend", lambda *_: (), lambda one, *_: one.suspend()),
    "resume": Call("resume", lambda *_: (), lambda one, *_: one.resume()),
    "shutdown": Call("shutdownFlags", lambda *_: (_ACPI,), lambda one, *_: one.shutdown()),
    "reboot": Call("reboot", lambda *_: (_ACPI,), lambda one, *_: one.reboot()),
    "reset": Call("reset", lambda *_: (0,), lambda one, *_: one.reset()),
    "destroy": Call("destroy", lambda *_: (), lambda one, *_: one.destroy()),
    "destroy-graceful": Call(
        "destroyFlags", lambda *_: (_GRACEFUL,), lambda one, *_: one.destroy(graceful=True)
    ),
    "undefine": Call("undefine", lambda *_: (), lambda one, *_: one.undefine()),
    "undefine-saved": Call(
        "undefineFlags",
        lambda *_: (_UNDEFINE_SAVED,),
        lambda one, *_: one.undefine(managed_save=True),
    ),
    "rename": Call("rename", lambda name, _: (name, 0), lambda one, name, _: one.rename(name)),
    "autostart": Call(
        "setAutostart",
        lambda wanted, _: (int(wanted == "yes"),),
        lambda one, wanted, _: one.set_autostart(wanted == "yes"),
    ),
    "save": Call("save", lambda path, _: (path,), lambda one, path, _: one.save(path)),
    "save-running": Call(
        "saveFlags",
        lambda path, _: (path, None, _RUNNING),
        lambda one, path, _: one.save(path, running=True),
    ),
    "managed-save": Call("managedSave", lambda *_: (0,), lambda one, *_: one.managed_save()),
    "remove-managed-save": Call(
        "managedSaveRemove", lambda *_: (0,), lambda one, *_: one.remove_managed_save()
    ),
    "core-dump": Call(
        "coreDump", lambda path, _: (path, MEMORY_ONLY), lambda one, path, _: one.core_dump(path)
    ),
    "core-dump-crash": Call(
        "coreDump",
        lambda path, _: (path, MEMORY_ONLY | CRASH),
        lambda one, path, _: one.core_dump(path, crash=True),
    ),
    "core-dump-reset": Call(
        "coreDump",
        lambda path, _: (path, MEMORY_ONLY | RESET),
        lambda one, path, _: one.core_dump(path, reset=True),
    ),
    "send-keys": Call("sendKey", _key_numbers, lambda one, keys, _: one.send_keys(keys.split())),
    "job-info": Call("jobInfo", lambda *_: (), lambda one, *_: one.job_info()),
    "abort-job": Call("abortJob", lambda *_: (), lambda one, *_: one.abort_job()),
    "inject-nmi": Call("injectNMI", lambda *_: (0,), lambda one, *_: one.inject_nmi()),
    "pm-wakeup": Call("pMWakeup", lambda *_: (0,), lambda one, *_: one.pm_wakeup()),
    "title": Call(
        "setMetadata",
        lambda text, impact: (_TITLE, text or None, None, None, impact.value),
        lambda one, text, impact: one.set_title(text or None, impact),
    ),
    "description": Call(
        "setMetadata",
        lambda text, impact: (_DESCRIPTION, text or None, None, None, impact.value),
        lambda one, text, impact: one.set_description(text or None, impact),
    ),
    "metadata": Call(
        "setMetadata",
        lambda xml, impact: (_ELEMENT, xml or None, KEY, URI, impact.value),
        lambda one, xml, impact: one.set_metadata(URI, xml or None, key=KEY, impact=impact),
    ),
    "attach": Call(
        "attachDeviceFlags",
        lambda xml, impact: (xml, impact.value),
        lambda one, xml, impact: one.attach_device(xml, impact),
    ),
    "detach": Call(
        "detachDeviceFlags",
        lambda xml, impact: (xml, impact.value),
        lambda one, xml, impact: one.detach_device(xml, impact),
    ),
    "detach-alias": Call(
        "detachDeviceAlias",
        lambda alias, impact: (alias, impact.value),
        lambda one, alias, impact: one.request_detach(alias, impact),
    ),
    "set-vcpus": Call(
        "setVcpusFlags",
        lambda count, impact: (int(count), impact.value),
        lambda one, count, impact: one.set_vcpus(int(count), impact),
    ),
    "set-vcpus-hotpluggable": Call(
        "setVcpusFlags",
        lambda count, impact: (int(count), impact.value | _HOTPLUGGABLE),
        lambda one, count, impact: one.set_vcpus(int(count), impact, hotpluggable=True),
    ),
    "set-max-vcpus": Call(
        "setVcpusFlags",
        lambda count, impact: (int(count), impact.value | _MAXIMUM),
        lambda one, count, impact: one.set_max_vcpus(int(count), impact),
    ),
    "enable-vcpu": Call(
        "setVcpu",
        lambda cpu_map, impact: (cpu_map, 1, impact.value),
        lambda one, cpu_map, impact: one.set_vcpu(cpu_map, enabled=True, impact=impact),
    ),
    "disable-vcpu": Call(
        "setVcpu",
        lambda cpu_map, impact: (cpu_map, 0, impact.value),
        lambda one, cpu_map, impact: one.set_vcpu(cpu_map, enabled=False, impact=impact),
    ),
    "iotune": Call(
        "setBlockIoTune",
        lambda text, impact: (*_limits(text), impact.value),
        lambda one, text, impact: one.set_block_io_tune(*_limits(text), impact),
    ),
    "threshold": Call(
        "setBlockThreshold",
        lambda text, _: (*_number(text), 0),
        lambda one, text, _: one.set_block_threshold(*_number(text)),
    ),
    "block-pull": Call(
        "blockPull",
        lambda text, _: (*_number(text), _IN_BYTES),
        lambda one, text, _: _pull(one, *_number(text)),
    ),
    "block-job-info": Call(
        "blockJobInfo", lambda disk, _: (disk, 0), lambda one, disk, _: one.block_job_info(disk)
    ),
    "block-job-abort": Call(
        "blockJobAbort", lambda disk, _: (disk, 0), lambda one, disk, _: one.block_job_abort(disk)
    ),
    "block-job-abort-soon": Call(
        "blockJobAbort",
        lambda disk, _: (disk, _ASYNC),
        lambda one, disk, _: one.block_job_abort(disk, wait=False),
    ),
    "block-job-set-speed": Call(
        "blockJobSetSpeed",
        lambda text, _: (*_number(text), _SPEED_IN_BYTES),
        lambda one, text, _: one.block_job_set_speed(*_number(text)),
    ),
    "update": Call(
        "updateDeviceFlags",
        lambda xml, impact: (xml, impact.value),
        lambda one, xml, impact: one.update_device(xml, impact),
    ),
}
"""Calls of a `Domain`, by the names that requests give them."""


async def make(
    name: str, hypervisor: Hypervisor, domain: str, argument: str, impact: Impact
) -> None:
    """Make a call of this library."""
    if name in OF_HYPERVISOR:
        await OF_HYPERVISOR[name].ours(hypervisor, argument, impact)
    else:
        found: Domain = hypervisor.domain(domain)
        await OF_DOMAIN[name].ours(found, argument, impact)
