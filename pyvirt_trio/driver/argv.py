"""A definition as a QEMU command line."""

from __future__ import annotations

import json
import posixpath

from pyvirt_trio.driver.backends import backends, frontend
from pyvirt_trio.driver.chardev import escaped
from pyvirt_trio.driver.display import audio_options, codecs, graphics_options
from pyvirt_trio.driver.memory_devices import WHOLE, has_own_memory, memory_options
from pyvirt_trio.models.devices import Watchdog
from pyvirt_trio.models.display import Graphics
from pyvirt_trio.models.domain import DomainDefinition


def build_argv(
    definition: DomainDefinition, *, monitor_path: str, is_incoming: bool = False
) -> list[str]:
    """The command that starts ``definition`` with its processors stopped.

    Args:
        definition: Placed and named; see `placement`.
        monitor_path: Where QEMU listens for one QMP client.
        is_incoming: Wait for the state of the machine from elsewhere (``migrate-incoming``).

    Returns:
        Program and arguments. QEMU creates nothing that is not written there
        (``-nodefaults``, ``-no-user-config``) and waits for ``cont`` (``-S``). It stays when the
        guest powers off (``-no-shutdown``), so that the machine can be reset instead.
    """
    system = definition.os
    argv = [definition.emulator or f"qemu-system-{system.arch}"]
    argv += ["-name", f"guest={escaped(definition.name)}", "-uuid", str(definition.uuid)]
    accelerator = "kvm" if definition.virt_type == "kvm" else "tcg"
    # With the support for persistent modules one can be plugged later; without slots none can.
    nvdimm = ",nvdimm=on" if definition.max_memory_kib else ""
    memory = f",memory-backend={WHOLE}" if has_own_memory(definition) else ""
    merge = "" if definition.memory_backing.shares_pages else ",mem-merge=off"
    argv += ["-machine", f"{system.machine},accel={accelerator}{merge}{nvdimm}{memory}"]
    argv += ["-cpu", "host" if accelerator == "kvm" else "qemu64"]
    folder = posixpath.dirname(monitor_path)
    argv += [*memory_options(definition, folder), *_processor_options(definition)]
    argv += ["-no-user-config", "-nodefaults", "-display", "none", "-S", "-no-shutdown"]
    if definition.actions.on_reboot.destroys:
        argv += ["-no-reboot"]
    argv += _sleep_options(definition)
    if is_incoming:
        argv += ["-incoming", "defer"]
    argv += [
        "-chardev",
        monitor_argument(monitor_path),
        "-mon",
        "chardev=charmonitor,id=monitor,mode=control",
    ]
    for option, value in (
        ("-kernel", system.kernel),
        ("-initrd", system.initrd),
        ("-append", system.cmdline),
    ):
        if value is not None:
            argv += [option, value]
    argv += audio_options(definition.devices)
    for device in definition.devices:
        if isinstance(device, Graphics):
            argv += graphics_options(device)
        for backend in backends(device):
            argv += backend.argv
        if isinstance(device, Watchdog):
            argv += ["-action", f"watchdog={device.action}"]
        properties = frontend(device)
        if properties is not None:
            argv += ["-device", json.dumps(properties)]
        for codec in codecs(device):
            argv += ["-device", json.dumps(codec)]
    if definition.panic is not None:
        port = {} if definition.panic.port is None else {"ioport": definition.panic.port}
        argv += ["-device", json.dumps({"driver": "pvpanic", **port})]
    return argv


def _sleep_options(definition: DomainDefinition) -> list[str]:
    """What the firmware offers, where the definition says so (``qemuBuildPMCommandLine``)."""
    sleeps = definition.sleeps
    found: list[str] = []
    for name, is_offered in (("disable_s3", sleeps.to_memory), ("disable_s4", sleeps.to_disk)):
        if is_offered is not None:
            found += ["-global", f"ICH9-LPC.{name}={int(not is_offered)}"]
    return found


def _processor_options(definition: DomainDefinition) -> tuple[str, str]:
    """What the machine is born with; the processors it can lose again are plugged into it."""
    born = sum(vcpu.is_enabled and not vcpu.is_hotpluggable for vcpu in definition.vcpus)
    most = len(definition.vcpus)
    room = f",maxcpus={most}" if born < most else ""
    return "-smp", f"{born}{room},sockets={most},cores=1,threads=1"


def monitor_argument(monitor_path: str) -> str:
    """The word of the command line that no other QEMU has: where it listens."""
    return f"socket,id=charmonitor,path={escaped(monitor_path)},server=on,wait=off"
