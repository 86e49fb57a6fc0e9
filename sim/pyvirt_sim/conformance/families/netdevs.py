"""Network back ends, and the cards on them."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Pause, Step

_BACKENDS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "user"},
    {"type": "user"},
    {"type": "user"},
    {"type": "user", "restrict": True},
    {"type": "user", "ipv4": False, "ipv6": False},
    {"type": "hubport", "hubid": 0},
    {"type": "hubport"},
    {"type": "hubport", "hubid": 1, "netdev": "nope"},
    {"type": "socket"},
    {"type": "socket", "listen": "127.0.0.1:0"},
    {"type": "socket", "listen": "127.0.0.1:0", "mcast": "230.0.0.1:1"},
    {"type": "socket", "udp": "127.0.0.1:1"},
    {"type": "dgram", "local": {"type": "inet", "host": "127.0.0.1", "port": "0"}},
    {"type": "nic"},
    {"type": "netmap", "ifname": "x"},
    {"type": "wrong"},
)
# Until the background has opened a back end; one that is deleted before may crash QEMU 7.2.
_OPENING_S: Final = 0.1
_CARDS: Final = ("virtio-net-pci", "virtio-net-pci", "e1000", "e1000e", "rtl8139")
_MACS: Final = ("52:54:00:12:34:56", "52:54:00:aa:bb:cc", "52-54-00-00-00-01", "zz", "52:54:00")


def _add(random: Random, scene: Scene) -> Step:
    names = (scene.fresh("netdev"), scene.known(random, "netdev"), "9lives")
    name = random.choices(names, (12, 2, 1))[0]
    return Execute("netdev_add", {**random.choice(_BACKENDS), "id": name})


def _plug(random: Random, scene: Scene) -> Step:
    arguments: dict[str, Any] = {"driver": random.choice(_CARDS), "id": scene.fresh("device")}
    if scene.shape.startswith("q35"):
        arguments["bus"] = f"pci.{random.randint(1, 4)}"
    if random.random() < 0.8:
        arguments["netdev"] = scene.known(random, "netdev")
    if random.random() < 0.4:
        arguments["mac"] = random.choice(_MACS)
    return Execute("device_add", arguments)


def _ask(random: Random, scene: Scene) -> Step:
    name = scene.known(random, random.choice(("netdev", "device")))
    return random.choice(
        (
            Execute("netdev_del", {"id": name}),
            Execute("netdev_del", {"id": name}),
            Execute("set_link", {"name": name, "up": random.random() < 0.5}),
            Execute("query-rx-filter", {"name": name}),
            Execute("query-rx-filter"),
            Execute("device_del", {"id": name}),
            Execute("announce-self", {"initial": 50, "max": 550, "rounds": 1, "step": 50}),
        )
    )


def _stream(random: Random, scene: Scene) -> list[Step]:
    """Two back ends that find each other, or not, and part."""
    address = {"type": "unix", "path": f"$ROOT/net{random.randint(0, 2)}"}
    server, client = scene.fresh("netdev"), scene.fresh("netdev")
    listen = {"type": "stream", "id": server, "addr": address, "server": True}
    connect = {"type": "stream", "id": client, "addr": address}
    steps: list[Step] = [
        Execute("netdev_add", listen),
        Pause(_OPENING_S),
        Execute("netdev_add", connect),
        Pause(_OPENING_S),
    ]
    if random.random() < 0.2:
        del steps[0]
    ends = [client, server] if random.random() < 0.5 else [server, client]
    return steps + [Execute("netdev_del", {"id": end}) for end in ends[: random.randint(0, 2)]]


def _generate(random: Random, scene: Scene) -> list[Step]:
    draw = random.random()
    if draw > 0.94:
        return _stream(random, scene)
    return [(_add if draw < 0.4 else _plug if draw < 0.6 else _ask)(random, scene)]


FAMILY = Family(name="network", generate=_generate, weight=2)
