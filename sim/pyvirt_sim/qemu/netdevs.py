"""Network back ends, the cards that use them, and the addresses of those cards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.chardevs import Chardevs
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError, bad_identifier, device_not_found
from pyvirt_sim.qemu.netdev_streams import NetdevStreams
from pyvirt_sim.qemu.text import is_identifier

# Drivers of network cards.
CARDS: Final = frozenset({"virtio-net-pci", "e1000", "e1000e", "rtl8139"})
# Back ends that Debian's QEMU was built without.
_MISSING: Final = frozenset({"nic", "netmap"})
# Back ends that are modelled, and their options.
KINDS: Final[Mapping[str, frozenset[str]]] = {
    "user": frozenset({"restrict", "hostname", "ipv4", "ipv6", "guestfwd"}),
    "hubport": frozenset({"hubid", "netdev"}),
    "socket": frozenset({"listen", "connect", "mcast", "udp", "fd", "localaddr"}),
    "dgram": frozenset({"local", "remote"}),
    "stream": frozenset({"addr", "server"}),
    "tap": frozenset({"ifname", "script", "downscript"}),
    "bridge": frozenset({"br"}),
    "vhost-user": frozenset({"chardev"}),
}
_FORWARD: Final = re.compile(r"tcp:[0-9.]+:[0-9]+-chardev:([A-Za-z0-9._-]+)")
# Cards without an address get these, the first that is free.
_MAC_PREFIX: Final = "52:54:00:12:34:"
_FIRST_MAC: Final = 0x56
_LAST_MAC: Final = 0xFE


@attrs.define(eq=False)
class Netdev:
    """A network back end; ``is_taken`` once a card or a hub uses it."""

    id: str
    kind: str
    peer: str | None = None
    is_taken: bool = False
    chardevs: list[str] = attrs.field(factory=list[str])
    switch: str | None = None


class Netdevs:
    """The network of one machine.

    Args:
        chardevs: Its character devices, to which a network may forward an address of the guest's.
        streams: Its back ends that speak to another QEMU over a stream.
    """

    def __init__(self, chardevs: Chardevs, streams: NetdevStreams) -> None:
        self._chardevs = chardevs
        self._streams = streams
        self._items: dict[str, Netdev] = {}
        self._cards: dict[str, Device] = {}
        # The cards whose guest has set filters of which nobody has asked yet.
        self._changed_filters: set[str] = set()
        # What a test has said that a guest lets through; of others it is not known.
        self._filters: dict[str, Mapping[str, Any]] = {}
        # How many cards use each of the addresses that QEMU gives out itself.
        self._macs: dict[int, int] = {}

    def add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``netdev_add``.

        Raises:
            QmpError: The name is wrong or taken, or the back end cannot be had.
        """
        name, kind = str(arguments["id"]), str(arguments["type"])
        if not is_identifier(name):
            raise bad_identifier()
        if kind in _MISSING:
            raise QmpError(f"network backend '{kind}' is not compiled into this binary")
        if name in self._items:
            raise QmpError(f"Duplicate ID '{name}'")
        given = arguments.keys() - {"id", "type"}
        if kind not in KINDS or given - KINDS[kind]:
            raise ModelGapError(f"netdev of type {kind} with {sorted(given)} is not modelled")
        self._check(kind, arguments)
        item = Netdev(name, kind, chardevs=self._forwarded(arguments))
        if kind == "vhost-user":
            item.switch = str(arguments["chardev"])
            self._chardevs.find(item.switch).is_taken = True
        if kind == "hubport":
            self._join_hub(item, arguments)
        elif kind == "stream":
            self._streams.add(arguments)
        self._items[name] = item

    def _forwarded(self, arguments: Mapping[str, Any]) -> list[str]:
        """The character devices that addresses in the guest lead to, taken from now on."""
        names: list[str] = []
        for rule in arguments.get("guestfwd", ()):
            match = _FORWARD.fullmatch(str(rule["str"]))
            if match is None or not self._chardevs.has(match[1]):
                raise ModelGapError(f"the forwarding rule {rule['str']} is not modelled")
            names.append(match[1])
        for name in names:
            if self._chardevs.find(name).is_taken:
                raise ModelGapError(f"forwarding to {name}, which is in use, is not modelled")
            self._chardevs.find(name).is_taken = self._chardevs.find(name).is_open = True
        return names

    def _check(self, kind: str, arguments: Mapping[str, Any]) -> None:
        if kind == "user":
            if not arguments.get("ipv4", True) and not arguments.get("ipv6", True):
                raise QmpError("IPv4 and IPv6 disabled")
        elif kind == "socket":
            _check_socket(arguments)
        elif kind == "dgram":
            _check_dgram(arguments)
        elif kind == "tap":
            _check_tap(arguments)
        elif kind == "vhost-user":
            self._check_switch(str(arguments["chardev"]))

    def _check_switch(self, name: str) -> None:
        """A switch in another process answers at the other end of a character device.

        QEMU's monitor stands still until it has; one that listens for the switch to come would wait
        as long as it takes.
        """
        if not self._chardevs.has(name):
            raise QmpError(f'chardev "{name}" not found')
        switch = self._chardevs.find(name)
        if not switch.is_connected:
            raise ModelGapError("vhost-user without a back end at the other end is not modelled")
        if switch.is_taken:
            raise ModelGapError(f"vhost-user on {name}, which is in use, is not modelled")

    def _join_hub(self, item: Netdev, arguments: Mapping[str, Any]) -> None:
        peer = arguments.get("netdev")
        if peer is None:
            return
        other = self._items.get(str(peer))
        if other is None:
            raise QmpError(f"netdev '{peer}' not found")
        if other.is_taken:
            raise ModelGapError(f"netdev {peer} is given to a second peer")
        other.is_taken = item.is_taken = True
        other.peer, item.peer = item.id, other.id

    def delete(self, name: str) -> None:
        """QMP ``netdev_del``. The card that used it stays, without a peer."""
        item = self._items.get(name)
        if item is None:
            raise device_not_found(name)
        self._streams.delete(name)
        del self._items[name]
        for chardev in item.chardevs:
            self._chardevs.take_away(chardev)
        if item.switch is not None:
            self._chardevs.find(item.switch).is_taken = False
        other = self._items.get(item.peer or "")
        if other is not None:
            other.is_taken, other.peer = False, None

    def claim(self, name: str, prop: str, owner: str, device: Device) -> None:
        """A card takes a back end for itself, until it is unrealized.

        Args:
            name: The back end.
            prop: The property that names it.
            owner: Device type that QEMU names in its errors.
            device: The card.

        Raises:
            QmpError: There is none, or another has it.
        """
        item = self._items.get(name)
        if item is None:
            raise QmpError(f"Property '{owner}.{prop}' can't find value '{name}'")
        if item.is_taken:
            raise QmpError(f"Property '{owner}.{prop}' can't take value '{name}', it's in use")
        item.is_taken = True
        device.on_unrealize.append(lambda: setattr(item, "is_taken", False))

    def add_card(self, device: Device) -> None:
        """A card is realized: it has an address from now on, and may be named."""
        given = device.values.get("mac")
        number = _own_mac(given) if isinstance(given, str) else self._first_free_mac()
        if given is None:
            device.values["mac"] = f"{_MAC_PREFIX}{number:02x}"
        if number is not None:
            self._macs[number] = self._macs.get(number, 0) + 1
        name = device.id or device.path
        self._cards[name] = device

        def remove() -> None:
            del self._cards[name]
            if number is not None:
                self._macs[number] -= 1

        device.on_unrealize.append(remove)

    def names(self) -> tuple[str, ...]:
        """The back ends that there are, the oldest first."""
        return tuple(self._items)

    def _first_free_mac(self) -> int:
        for number in range(_FIRST_MAC, _LAST_MAC + 1):
            if not self._macs.get(number):
                return number
        raise ModelGapError("more cards than QEMU has addresses for are not modelled")

    def set_link(self, name: str) -> None:
        """QMP ``set_link``: nothing a monitor can see.

        Raises:
            QmpError: There is neither back end nor card of that name.
        """
        if name not in self._items and name not in self._cards:
            raise device_not_found(name)

    def change_filters(
        self, name: str, filters: Mapping[str, Any] | None = None
    ) -> tuple[str, str]:
        """The guest changes what a card lets through, which is told once until somebody asks.

        Args:
            name: The card.
            filters: What ``query-rx-filter`` then says otherwise of it; ``None`` is not known.

        Returns:
            The card's name, and the path of its inner part; empty when nothing is told.
        """
        card = self._cards[name]
        if card.driver != "virtio-net-pci":
            raise ModelGapError(f"filters of {card.driver} are not modelled")
        if filters is not None:
            self._filters[name] = filters
        if name in self._changed_filters:
            return "", ""
        self._changed_filters.add(name)
        return name, f"{card.path}/virtio-backend"

    def rx_filters(self, name: str | None) -> list[dict[str, Any]]:
        """QMP ``query-rx-filter`` of cards whose filters are known.

        Raises:
            QmpError: The name is no card that can tell.
        """
        if self._changed_filters - self._filters.keys():
            raise ModelGapError("the filters that a guest has set are not modelled")
        if name is None:
            cards = [card for card in self._cards.values() if card.driver == "virtio-net-pci"]
            return [self._asked(card) for card in cards]
        if name in self._cards:
            card = self._cards[name]
            if card.driver != "virtio-net-pci":
                raise QmpError(f"net client({name}) doesn't support rx-filter querying")
            return [self._asked(card)]
        if name in self._items:
            raise QmpError(f"net client({name}) isn't a NIC")
        raise QmpError(f"invalid net client name: {name}")

    def _asked(self, card: Device) -> dict[str, Any]:
        """What it lets through; the next change is told again."""
        name = card.id or card.path
        self._changed_filters.discard(name)
        return {**_rx_filter(card), **self._filters.get(name, {})}


def _own_mac(text: str) -> int | None:
    """The number of an address of QEMU's own range."""
    text = text.lower().replace("-", ":")
    number = int(text[-2:], 16) if text.startswith(_MAC_PREFIX) else -1
    return number if number >= _FIRST_MAC else None


def _check_socket(arguments: Mapping[str, Any]) -> None:
    ways = [way for way in ("fd", "listen", "connect", "mcast", "udp") if way in arguments]
    if len(ways) != 1:
        raise QmpError("exactly one of listen=, connect=, mcast= or udp= is required")
    if ways == ["udp"] and "localaddr" not in arguments:
        raise QmpError("localaddr= is mandatory with udp=")
    if ways != ["listen"] or arguments["listen"] != "127.0.0.1:0":
        raise ModelGapError("a socket back end is modelled only as listen=127.0.0.1:0")


def _check_tap(arguments: Mapping[str, Any]) -> None:
    """Every tap of the host is there and free: whether one is, is the kernel's business."""
    if arguments.get("script") != "no" or arguments.get("downscript") != "no":
        raise ModelGapError("scripts of a tap are not modelled")
    if "ifname" not in arguments:
        raise ModelGapError("a tap whose name the kernel chooses is not modelled")


def _check_dgram(arguments: Mapping[str, Any]) -> None:
    if "remote" not in arguments:
        if "local" not in arguments:
            raise QmpError("dgram requires local= or remote= parameter")
        if arguments["local"]["type"] in {"inet", "unix"}:
            raise QmpError("type=inet or type=unix requires remote parameter")
    raise ModelGapError("datagram back ends are not modelled")


def _rx_filter(card: Device) -> dict[str, Any]:
    return {
        "name": card.id or card.path,
        "promiscuous": True,
        "multicast": "normal",
        "unicast": "normal",
        "vlan": "all",
        "broadcast-allowed": False,
        "multicast-overflow": False,
        "unicast-overflow": False,
        "main-mac": card.value("mac"),
        "vlan-table": list(range(4095, -1, -1)),
        "unicast-table": [],
        "multicast-table": [],
    }
