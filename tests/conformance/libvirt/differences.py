"""Where our answers differ from libvirt's: each difference in full, and why it is there.

``differences.json`` holds both answers, word for word. `REASONS` says why; what has no reason is a
bug. `page.page` makes the documentation of both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.conformance.libvirt.answers import Answer

RECORD = Path(__file__).with_name("differences.json")
OPEN = "open"

REASONS: Mapping[str, str] = {
    "starts": """
        What a reset does to the machine is an option of ours (``-no-reboot``), in force from the
        first instruction, and a command of libvirt's.""",
    "copies": """
        libvirt opens the files that a machine is saved to and restored from, or its core is written
        to, and hands them to QEMU (``getfd``). Our monitor may be any byte stream, which a file
        descriptor cannot cross, so QEMU opens a core itself, and a saved machine goes through a
        shell. libvirt also switches off, before each save, what nobody has switched on.""",
    "keys": """
        Keys have names here and numbers in libvirt, whose library refuses an empty list before
        libvirtd sees it. QEMU is told its own names for them by us, and by libvirt their numbers on
        a keyboard of the year 1984. They are the same keys.""",
    "sockets": """
        libvirt opens the listening socket of a character device itself and hands it to QEMU
        (``getfd``), so that it can give it a security label. We let QEMU open it: there is nothing
        to label, and the monitor may then be any byte stream, which a file descriptor cannot
        cross.""",
    "conventional PCI": """
        A watchdog, shared memory and a PCI serial port are devices of conventional PCI. libvirt
        puts them behind a ``pcie-to-pci-bridge`` only, which the definition must have from the
        start. QEMU takes them behind a root port as well, and so do we; that bridge we do not
        have.""",
    "drives": """
        libvirt 9.0.0 stumbles over CD-ROM drives that were plugged in: an empty one cannot be, and
        the medium of one cannot be changed, because it looks for a tray at the start of a domain
        only. Both work here. When a new medium is refused, libvirt leaves the tray open; here it
        is closed again.""",
    "twins": """
        libvirt lets the same lease in twice while a domain runs, and not into its definition. We
        refuse the second one in both.""",
    "left out": """
        A description of a network card without a MAC means the one card there is. libvirt invents
        a MAC for it, and then refuses to change the card's. To change memory libvirt wants its
        alias and its address; here it may be described as for any other call.""",
    "memory": """
        libvirt announces memory under the name of what is behind it, by an old slip; here it is
        announced under its own.""",
    "checked early": """
        What QEMU would refuse is refused here before it is asked: shared memory whose size is no
        power of two, virtio memory that is not made of whole blocks, a burst's length without a
        burst, the number that means "any" for a vsock. libvirt asks QEMU, and writes such a thing
        into a definition, which then cannot start.""",
    "both at once": """
        libvirt sets the limits of a disk in the running machine or in the definition. Here both can
        be set in one call.""",
    "empty drives": """
        Of a drive without a medium libvirt says what it stumbled over inside itself. We say what is
        missing.""",
    "ignored": """
        libvirt takes these for changes of a running machine, and changes nothing in it: what a
        card is called in a container, its filter where there are no filters, its twin in a team,
        its address in a container; whether snapshots take a disk along, and the format of an image
        that is open; how clients share a screen, may switch the machine off, and reach it from a
        browser. We refuse what would not be done.""",
    "consoles": """
        A virtio console that is plugged in gets a port of a controller, as a channel does; libvirt
        leaves that to QEMU and does not know where it is. libvirt cannot find one in a definition
        to take it out, either.""",
    "left behind": """
        An address that is forwarded to the host has a network backend and a character device.
        libvirt leaves the second one behind in QEMU, and the same address cannot be forwarded
        again.""",
    "asked": """
        Whether a disk's file is there, or the host's kernel serves vsock, is asked of QEMU here, by
        letting it open the thing. libvirt looks first, and what it saw may be gone when QEMU comes.
        What we say is the same.""",
    "targets": """
        libvirt looks for a target of the host's kernel in configfs, forgets to let go of one that
        it did not find, and has no words for one that a domain lacks.""",
    "ports": """
        libvirt cannot add a port to a definition: it asks for options that it chooses itself where
        a whole domain is defined. When a device names a bus that is not there, it adds all the
        ports up to it. Here a port can be added, and a bus must be there.""",
    "order": """
        Where two things are wrong with a description, libvirt and we name another one first.""",
    "controllers": """
        libvirt gives a SCSI controller whose model is left out an old one, which we do not have. So
        the model must be said, and it must be said of one that is to go, too.""",
    "built in": """
        What a board has built in, or a bus of it that cannot be plugged into, is not represented
        here: floppy and IDE disks, ISA devices. We say so when we read the XML. libvirt reads it,
        in some cases asks QEMU to do it, and passes QEMU's refusal on, or one about a controller
        that it missed.""",
    "fixed types": """
        Devices of these types come and go with the whole definition. We say so as soon as the type
        is known. libvirt reads the whole description first, and looks whether this QEMU and this
        host could have the device.""",
    "not represented": """
        What this library does not know how to run is refused wherever it is described, so that
        nothing of a definition is lost without a word; whoever wants it to go is told that it is
        not there. It is: PS/2 keyboards and mice, which a board has built in; input devices of the
        host; network cards of other models than virtio; directories shared by 9p; USB redirection
        by a screen.""",
    "descriptions": """
        What is wrong with a description is said in our words, because they name the place in the
        document and what is allowed there. So does the XML parser both use, in its own way.""",
    "processors": """
        QEMU 7.2 under TCG never says that an emulated processor is gone, only that its interrupt
        controller is. libvirt waits for the former and gives up after five seconds, whatever the
        guest has done. We take the latter, and ask QEMU whether the place is empty.""",
    "open": "Known, and neither repaired nor justified yet.",
}
"""Why differences stay, by name."""


@attrs.frozen(kw_only=True)
class Difference:
    """One aspect of the answers to one request.

    Attributes:
        request: Its name.
        aspect: One of `answers.ASPECTS`.
        libvirt: What libvirt answers.
        ours: What we answer.
        why: A name among `REASONS`.
    """

    request: str
    aspect: str
    libvirt: Any
    ours: Any
    why: str = attrs.field(default=OPEN, eq=False)


def found(expected: Iterable[Answer], answers: Iterable[Answer]) -> list[Difference]:
    """All differences between two arms."""
    return [
        Difference(
            request=one.request,
            aspect=aspect,
            libvirt=_plain(getattr(one, aspect)),
            ours=_plain(getattr(other, aspect)),
        )
        for one, other in zip(expected, answers, strict=True)
        for aspect in one.differences(other)
    ]


def listed() -> list[Difference]:
    """The differences we know of."""
    return [Difference(**row) for row in json.loads(RECORD.read_text())]


def write(expected: Iterable[Answer], answers: Iterable[Answer], *, order: Sequence[str]) -> None:
    """Make the differences of these answers the known ones; a reason given before stays.

    Args:
        expected: libvirt's answers to all requests, or to those of some families.
        answers: Ours.
        order: The names of all requests; what is known of others is forgotten.
    """
    theirs, before = list(expected), listed()
    why = {(one.request, one.aspect): one.why for one in before if one.why in REASONS}
    played = {one.request for one in theirs}
    kept = [one for one in before if one.request in order and one.request not in played]
    kept += [
        attrs.evolve(one, why=why.get((one.request, one.aspect), OPEN))
        for one in found(theirs, answers)
    ]
    kept.sort(key=lambda one: order.index(one.request))
    RECORD.write_text(json.dumps([attrs.asdict(one) for one in kept], indent=1) + "\n")


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value))
