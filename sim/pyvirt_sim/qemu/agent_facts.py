"""What the guest's agent tells of its guest, and the keys and processors it sees to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.agent_system import AgentError, AgentSystem, Arguments
from pyvirt_sim.qemu.devices import Device, walk
from pyvirt_sim.qemu.pci import is_pci

if TYPE_CHECKING:
    from pyvirt_sim.qemu.guest import Guest

_MIB: Final = 1 << 20
_NODES: Final = {"virtio-blk-pci": "vd", "scsi-hd": "sd", "scsi-cd": "sr"}
"""What Linux calls the disks of a driver: letters follow, for CD drives numbers."""


def interfaces(_system: AgentSystem, guest: Guest, _arguments: Arguments) -> Any:
    """``guest-network-get-interfaces``: nobody has configured any."""
    loopback = {"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}
    found: list[dict[str, Any]] = [
        {"name": "lo", "ip-addresses": [loopback], "hardware-address": "00:00:00:00:00:00"}
    ]
    cards = [one for one in guest.machine.tree.devices.values() if "mac" in one.values]
    for index, card in enumerate(cards):
        found.append({"name": f"eth{index}", "hardware-address": str(card.value("mac"))})
    return found


def os_info(_system: AgentSystem, _guest: Guest, _arguments: Arguments) -> Any:
    """``guest-get-osinfo``."""
    return {
        "id": "simulated",
        "name": "Simulated Linux",
        "pretty-name": "Simulated Linux 1",
        "version-id": "1",
        "kernel-release": "6.1.0-simulated",
        "kernel-version": "#1 SMP simulated",
        "machine": "x86_64",
    }


def host_name(_system: AgentSystem, guest: Guest, _arguments: Arguments) -> Any:
    """``guest-get-host-name``: it is called as its machine."""
    return {"host-name": guest.machine.name}


def timezone(_system: AgentSystem, _guest: Guest, _arguments: Arguments) -> Any:
    """``guest-get-timezone``."""
    return {"zone": "UTC", "offset": 0}


def users(system: AgentSystem, _guest: Guest, _arguments: Arguments) -> Any:
    """``guest-get-users``."""
    return [{"user": user, "login-time": at_s} for user, at_s in system.logins.items()]


# -- disks ------------------------------------------------------------------------------------


def disks(_system: AgentSystem, guest: Guest, _arguments: Arguments) -> Any:
    """``guest-get-disks``: whole disks, nobody has made partitions."""
    return [
        {
            "name": node,
            "partition": False,
            "dependencies": [],
            "address": _address(guest, device, node),
        }
        for node, device in _nodes(guest).items()
    ]


def file_systems(system: AgentSystem, guest: Guest, _arguments: Arguments) -> Any:
    """``guest-get-fsinfo``: what is on no disk of the machine is on none that can be told."""
    nodes = _nodes(guest)
    found: list[dict[str, Any]] = []
    for path in system.file_systems:
        node = system.mounted.get(path)
        found.append(
            {
                "mountpoint": path,
                "name": "root" if node is None else node.rpartition("/")[2],
                "type": "ext4",
                "total-bytes": 7 * _MIB,
                "used-bytes": _MIB,
                "disk": [_address(guest, nodes[node], node)] if node in nodes else [],
            }
        )
    return found


def _nodes(guest: Guest) -> dict[str, Device]:
    """The guest's disks by their nodes, in Linux's order: by the places of their controllers."""
    counts: dict[str, int] = {}
    nodes: dict[str, Device] = {}
    for device in _in_order(guest):
        prefix = _NODES[device.driver]
        number = counts.get(prefix, 0)
        counts[prefix] = number + 1
        nodes[f"/dev/{prefix}{number if prefix == 'sr' else chr(ord('a') + number)}"] = device
    return nodes


def _in_order(guest: Guest) -> list[Device]:
    found = [one for one in walk(guest.machine.tree.root) if one.driver in _NODES]
    return sorted(
        found, key=lambda one: (_NODES[one.driver] == "sr", _pci(guest, one), one.address)
    )


def _pci(guest: Guest, device: Device) -> tuple[int, int, int]:
    """Bus, slot and function of a disk's controller, with the numbers of the guest's firmware."""
    bus = device.bus
    assert bus is not None, "a disk and its controller sit on buses"
    if not is_pci(device.driver):
        assert bus.parent is not None, "what is on no PCI bus hangs on a controller"
        return _pci(guest, bus.parent)
    slot, function = device.address
    root = guest.machine.tree.root
    if bus is root:
        return 0, slot, function
    ports = sorted(
        (one for one in root.children if one.driver == "pcie-root-port"),
        key=lambda port: port.address,
    )
    for number, port in enumerate(ports, start=1):
        if port is bus.parent:
            return number, slot, function
    raise ModelGapError("how a guest numbers buses behind bridges is not modelled")


def _address(guest: Guest, device: Device, node: str) -> Mapping[str, Any]:
    is_scsi = device.bus is not None and device.bus.kind == "SCSI"
    channel, target, unit = device.address if is_scsi else (0, 0, 0)
    bus, slot, function = _pci(guest, device)
    return {
        "bus-type": "scsi" if is_scsi else "virtio",
        "bus": channel,
        "target": target,
        "unit": unit,
        "pci-controller": {"domain": 0, "bus": bus, "slot": slot, "function": function},
        "dev": node,
    }


# -- processors -------------------------------------------------------------------------------


def vcpus(system: AgentSystem, guest: Guest, _arguments: Arguments) -> Any:
    """``guest-get-vcpus``: Linux itself uses no processor that was plugged in."""
    cpus = guest.machine.cpus
    present = [int(one["cpu-index"]) for one in cpus.listing()]
    system.online = {number: system.online[number] for number in present if number in system.online}
    return [
        {
            "logical-id": number,
            "online": system.online.get(number, number < cpus.topology.present),
            "can-offline": number != 0,
        }
        for number in present
    ]


def set_vcpus(system: AgentSystem, guest: Guest, arguments: Arguments) -> Any:
    """``guest-set-vcpus``: one after the other, until one cannot."""
    known = {one["logical-id"]: one for one in vcpus(system, guest, {})}
    done = 0
    for one in arguments["vcpus"]:
        number, is_online = one["logical-id"], one["online"]
        problem = _problem(number, known, is_online=is_online)
        if problem is not None:
            if done:
                break
            raise AgentError(problem)
        system.online[number] = is_online
        done += 1
    return done


def _problem(number: int, known: Mapping[int, Any], *, is_online: bool) -> str | None:
    if number not in known:
        return f'open("/sys/devices/system/cpu/cpu{number}/"): No such file or directory'
    if not is_online and not known[number]["can-offline"]:
        return f"logical processor #{number} can't be offlined"
    return None


# -- keys -------------------------------------------------------------------------------------


def get_keys(system: AgentSystem, _guest: Guest, arguments: Arguments) -> Any:
    """``guest-ssh-get-authorized-keys``: the last line of the file first."""
    user = _known_user(system, arguments)
    if user not in system.keys:
        path = f"{_home(user)}/.ssh/authorized_keys"
        missing = f"Failed to open file \u201c{path}\u201d: No such file or directory"
        raise AgentError(f"failed to read '{path}': {missing}")
    return {"keys": system.keys[user][::-1]}


def add_keys(system: AgentSystem, _guest: Guest, arguments: Arguments) -> Any:
    """``guest-ssh-add-authorized-keys``: a key that is there is not there twice."""
    for key in arguments["keys"]:
        if "\n" in key or key.startswith("#"):
            raise AgentError(f"invalid OpenSSH public key: '{key}'")
    user = _known_user(system, arguments)
    kept = [] if arguments.get("reset") else system.keys.get(user, [])
    system.keys[user] = list(dict.fromkeys([*kept, *arguments["keys"]]))
    return {}


def remove_keys(system: AgentSystem, _guest: Guest, arguments: Arguments) -> Any:
    """``guest-ssh-remove-authorized-keys``: a key that is not there is no matter."""
    user = _known_user(system, arguments)
    gone = arguments["keys"]
    if user in system.keys:
        system.keys[user] = [key for key in system.keys[user] if key not in gone]
    return {}


def _known_user(system: AgentSystem, arguments: Arguments) -> str:
    user = str(arguments["username"])
    if user not in system.users:
        raise AgentError(f"failed to lookup user '{user}': Success")
    return user


def _home(user: str) -> str:
    return "/root" if user == "root" else f"/home/{user}"
