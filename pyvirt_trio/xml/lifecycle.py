"""``<on_poweroff>``, ``<on_reboot>``, ``<on_crash>``, ``<pm>`` and ``<panic>``."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from pyvirt_trio.models.lifecycle import LifecycleAction, LifecycleActions, Panic, Sleeps
from pyvirt_trio.xml.element import Element, element, switched
from pyvirt_trio.xml.reader import Reader, quoted

_CHOICES: Mapping[str, tuple[LifecycleAction, ...]] = {
    "on_poweroff": (LifecycleAction.DESTROY, LifecycleAction.RESTART),
    "on_reboot": (LifecycleAction.DESTROY, LifecycleAction.RESTART),
    "on_crash": tuple(LifecycleAction),
}
"""What a QEMU can do. libvirt's schema knows ``rename-restart``, too, which its QEMU driver refuses
(``qemuValidateLifecycleAction``), and ``preserve`` everywhere, which that driver takes and ignores
unless the guest crashes."""


def read_lifecycle(domain: Reader) -> LifecycleActions:
    """The three actions below ``<domain>``; each one that is missing is libvirt's default."""
    chosen: dict[str, LifecycleAction] = {}
    for tag, allowed in _CHOICES.items():
        found = domain.child(tag)
        if found is not None:
            chosen[tag] = _action(found, allowed)
    actions = attrs.evolve(LifecycleActions(), **chosen)
    # Both lead to SHUTDOWN, and QEMU does not say clearly enough which one it was.
    if actions.on_poweroff.restarts and actions.on_reboot.destroys:
        raise domain.unsupported(
            "<on_poweroff> 'restart' together with <on_reboot> 'destroy' is not supported"
        )
    return actions


def _action(found: Reader, allowed: tuple[LifecycleAction, ...]) -> LifecycleAction:
    text = found.text.strip()
    for action in allowed:
        if action.value == text:
            return action
    expected = " or ".join(repr(action.value) for action in allowed)
    raise found.unsupported(f"{quoted(text)} is not supported, expected {expected}")


def lifecycle_elements(actions: LifecycleActions) -> tuple[Element, ...]:
    """All three, as libvirt writes them."""
    return tuple(Element(tag, text=getattr(actions, tag).value) for tag in _CHOICES)


# -- sleeping and dying ---------------------------------------------------------------------------

_ENABLED = {"yes": True, "no": False, "": None}
_MAX_PORT = 0xFFFF


def read_sleeps(domain: Reader) -> Sleeps:
    """What ``<pm>`` below ``<domain>`` says, if it is there."""
    found = domain.child("pm")
    if found is None:
        return Sleeps()
    return Sleeps(
        to_memory=_is_enabled(found.child("suspend-to-mem")),
        to_disk=_is_enabled(found.child("suspend-to-disk")),
    )


def _is_enabled(found: Reader | None) -> bool | None:
    if found is None:
        return None
    return _ENABLED[found.choice("enabled", "yes", "no", default="")]


def sleeps_element(sleeps: Sleeps) -> Element | None:
    """The element that ``read_sleeps`` reads."""
    if sleeps == Sleeps():
        return None
    rows = (("suspend-to-mem", sleeps.to_memory), ("suspend-to-disk", sleeps.to_disk))
    said = [(tag, switched(is_enabled, "yes", "no")) for tag, is_enabled in rows]
    return element("pm", None, *(element(tag, {"enabled": word}) for tag, word in said if word))


def read_panic(found: Reader) -> Panic:
    """A ``Panic`` from ``<panic>``. libvirt has more models, for other boards and hypervisors."""
    found.choice("model", "isa", default="isa")
    address = found.child("address")
    if address is None:
        return Panic()
    address.choice("type", "isa")
    return Panic(port=address.integer("iobase", maximum=_MAX_PORT))


def panic_element(panic: Panic) -> Element:
    """The element that ``read_panic`` reads."""
    address = None
    if panic.port is not None:
        address = element("address", {"type": "isa", "iobase": f"0x{panic.port:x}"})
    return element("panic", {"model": "isa"}, address)
