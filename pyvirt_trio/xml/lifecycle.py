"""``<on_poweroff>``, ``<on_reboot>`` and ``<on_crash>``."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from pyvirt_trio.models.lifecycle import LifecycleAction, LifecycleActions
from pyvirt_trio.xml.element import Element
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
