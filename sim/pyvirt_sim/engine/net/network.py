"""The network of one run: its hosts, the links between them, and what is on its way."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import heapq
import ipaddress
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import trio

from pyvirt_sim.engine.incarnation import INCARNATION
from pyvirt_sim.engine.net.host import Host
from pyvirt_sim.engine.net.link import Link, Message
from pyvirt_sim.engine.net.plan import LinkPlan
from pyvirt_sim.engine.net.wire import Wire, touch_everything

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution
    from pyvirt_sim.engine.net.opensocket import OpenSocket

__all__ = ["Network", "current_network"]

T = TypeVar("T")
# The machine of code that belongs to no node.
MAIN_HOST = "main"
_FIRST_ADDRESS = ipaddress.IPv4Address("10.0.0.1")
# Far above any real descriptor, so that os.close() of one fails instead of closing a file.
_FIRST_DESCRIPTOR = 1_000_000
# The run that is active, put here by the seam.
running: list[Execution] = []


def current_network() -> Network:
    """Return the network of the current run; it is made when first asked for.

    Raises:
        RuntimeError: there is no run: the code is not under ``simulate``.
    """
    if not running:
        raise RuntimeError("there is a simulated network only inside simulate()")
    execution = running[-1]
    if execution.network is None:
        execution.network = Network(execution)
    return execution.network


class Network:
    """The simulated network of one run. Get it with `current_network`.

    Without any setup there is one machine, ``main``, and programs talk to themselves over
    ``localhost``, Unix sockets and socket pairs. ``Node`` adds machines. Names and addresses of
    all machines resolve everywhere.

    Attributes:
        hosts: the machines, by name.
        has_files: whether a Unix socket was bound to a path.
    """

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self._plan = LinkPlan()
        self.hosts: dict[str, Host] = {}
        self.has_files = False
        self._addresses: dict[str, Host] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._descriptors: dict[int, OpenSocket] = {}
        self._descriptor_numbers = count(_FIRST_DESCRIPTOR)
        self._numbers = count()
        self._timers_wire = Wire("network timers")
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._alarm: trio.CancelScope | None = None
        self._has_courier = False
        self.add_host(MAIN_HOST)

    @property
    def plan(self) -> LinkPlan:
        """What may happen by itself on every link that has no plan of its own."""
        return self._plan

    @plan.setter
    def plan(self, plan: LinkPlan) -> None:
        touch_everything()
        self._plan = plan

    # -- machines and links --------------------------------------------------------------------

    def add_host(self, name: str, addresses: Sequence[str] = ()) -> Host:
        """Add a machine.

        Args:
            name: its host name.
            addresses: IPv4 or IPv6; if none are given, the next one of 10.0.0.0/8.

        Raises:
            ValueError: the name or an address is taken, or is not one.
        """
        if not name or name == "localhost" or any(c.isspace() or c in ":/[]" for c in name):
            raise ValueError(f"{name!r} cannot name a machine")
        if name in self.hosts:
            raise ValueError(f"there is a machine named {name!r} already")
        texts = [str(ipaddress.ip_address(address)) for address in addresses]
        for text in texts or [self._next_address()]:
            if text in self._addresses or ipaddress.ip_address(text).is_loopback:
                raise ValueError(f"{text} is taken")
        touch_everything()
        host = Host(self, name, tuple(texts or [self._next_address()]))
        self.hosts[name] = host
        self._addresses.update(dict.fromkeys(host.addresses, host))
        return host

    def _next_address(self) -> str:
        address = _FIRST_ADDRESS
        while str(address) in self._addresses:
            address += 1
        return str(address)

    def host(self, name: str) -> Host:
        """Return the machine named ``name``.

        Raises:
            ValueError: there is none.
        """
        if name not in self.hosts:
            raise ValueError(f"no machine is named {name!r}; there are {', '.join(self.hosts)}")
        return self.hosts[name]

    def host_at(self, address: str) -> Host | None:
        """Return the machine with this IP address."""
        return self._addresses.get(address)

    def here(self) -> Host:
        """Return the machine that the running code belongs to."""
        incarnation = INCARNATION.get()
        if incarnation is not None and incarnation.host.network is self:
            return incarnation.host
        return self.hosts[MAIN_HOST]

    def link(self, source: str, target: str) -> Link:
        """Return the one-way link from the machine ``source`` to the machine ``target``.

        Raises:
            ValueError: there is no machine of that name; the text lists those that there are.
        """
        return self.link_between(self.host(source), self.host(target))

    def links(self, one: str, other: str) -> tuple[Link, Link]:
        """Return both directions between two machines: from ``one`` to ``other``, and back.

        Raises:
            ValueError: as for `link`.
        """
        return self.link(one, other), self.link(other, one)

    def link_between(self, source: Host, target: Host) -> Link:
        """Return the one-way link from ``source`` to ``target``."""
        key = source.name, target.name
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = Link(self, source, target)
        return link

    @property
    def in_flight(self) -> tuple[Message, ...]:
        """All messages that have been sent and have not arrived, oldest first."""
        messages = [message for link in self._links.values() for message in link.in_flight]
        return tuple(sorted(messages, key=lambda message: message.sequence))

    def pump_into(self, host: Host) -> None:
        """``host`` has started: what could not arrive meanwhile arrives."""
        for link in list(self._links.values()):
            if link.target is host:
                link.pump()

    # -- for the sockets -----------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self.execution.clock.now_s

    def next_number(self) -> int:
        """Return a number that no other object of this network has."""
        return next(self._numbers)

    def draw(self, stream: str, label: str, bound: int) -> int:
        """Draw for the network, whoever runs."""
        return self.execution.draw(stream, label, bound)

    def choose(self, stream: str, label: str, options: Sequence[T]) -> T:
        """Draw one of ``options``; the first is the plain one."""
        if len(options) == 1:
            return options[0]
        return options[self.execution.draw(stream, label, len(options))]

    def note(self, action: str, link: Link) -> None:
        """Record a fault, for reports."""
        self.execution.note("network", f"{action} {link.name}", {}, is_own=True)

    def new_descriptor(self, opened: OpenSocket) -> int:
        """Return the number of a new descriptor of ``opened``."""
        number = next(self._descriptor_numbers)
        self._descriptors[number] = opened
        opened.numbers.append(number)
        return number

    def opened(self, number: int) -> OpenSocket | None:
        """Return the socket behind the descriptor ``number``."""
        return self._descriptors.get(number)

    def close(self, number: int) -> None:
        """Close the descriptor ``number``, if it is open."""
        opened = self._descriptors.pop(number, None)
        if opened is not None:
            opened.release(number)

    def forget_descriptor(self, number: int) -> None:
        """The machine with the descriptor ``number`` crashed."""
        self._descriptors.pop(number, None)

    # -- time ----------------------------------------------------------------------------------

    def call_at(self, due_s: float, action: Callable[[], object]) -> None:
        """Call ``action()`` at this virtual time, in a step of the network's own."""
        self._timers_wire.touch()
        heapq.heappush(self._timers, (due_s, self.next_number(), action))
        if not self._has_courier:
            self._start_courier()
        elif self._alarm is not None and due_s < self._alarm.deadline:
            self._alarm.deadline = due_s

    def _start_courier(self) -> None:
        nursery = self.execution.runner.system_nursery
        # After the end of the program nothing arrives any more.
        if nursery is not None and not nursery._closed:
            self._has_courier = True
            trio.lowlevel.spawn_system_task(self._courier, name="<network>")

    async def _courier(self) -> None:
        """Serve the timers. There is one only while something is due, so that it is no deadlock."""
        timers = self._timers
        while timers:
            if timers[0][0] > self.now_s:
                with trio.CancelScope(deadline=timers[0][0]) as self._alarm:
                    await trio.sleep_forever()
                self._alarm = None
                continue
            _, _, action = heapq.heappop(timers)
            action()
            if timers and timers[0][0] <= self.now_s:
                # Between two arrivals at one instant others may run.
                await trio.lowlevel.checkpoint()
        self._has_courier = False
