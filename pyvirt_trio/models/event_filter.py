"""Which events an observer wants: of which domains, and of which types."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import events
from pyvirt_trio.models.events import DomainEvent, HypervisorEvent
from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class EventFilter(Value):
    """Admits an event that passes both questions.

    Args:
        domains: Names or UUIDs as text; ``None`` admits those of all domains, and of the host's
            devices too.
        types: Event classes, of which subclasses count; ``None`` admits every type.
    """

    domains: frozenset[str] | None = None
    types: tuple[type[HypervisorEvent], ...] | None = None

    def admits(self, event: HypervisorEvent) -> bool:
        """Whether the observer wants ``event``."""
        if self.types is not None and not isinstance(event, self.types):
            return False
        if self.domains is None:
            return True
        if not isinstance(event, DomainEvent):
            return False
        return event.domain in self.domains or str(event.uuid) in self.domains


EVERYTHING = EventFilter()


# Not `__subclasses__`: attrs makes each class anew to give it slots, and the one it has replaced is
# still there until it is collected.
_CLASSES = [
    one
    for one in vars(events).values()
    if isinstance(one, type) and issubclass(one, HypervisorEvent)
]
EVENT_TYPES: dict[str, type[HypervisorEvent]] = {
    one.__name__: one
    for one in _CLASSES
    if not any(other is not one and issubclass(other, one) for other in _CLASSES)
}
"""Every event there is, by the name of its class."""


def types_named(names: Iterable[str]) -> tuple[type[HypervisorEvent], ...]:
    """The event classes that ``names`` mean.

    Args:
        names: Names of classes such as ``DeviceRemoved``, or virsh's such as ``device-removed``;
            ``lifecycle`` means all of a domain's, ``nodedev-lifecycle`` and ``nodedev-update``
            those of the host's devices.

    Raises:
        DefinitionError: There is no such event; the message lists virsh's names.
    """
    by_name: dict[str, list[type[HypervisorEvent]]] = {}
    for name, one in EVENT_TYPES.items():
        by_name.setdefault(name, []).append(one)
        by_name.setdefault(virsh_name(one), []).append(one)
    found: list[type[HypervisorEvent]] = []
    for name in names:
        if name not in by_name:
            known = ", ".join(sorted(one for one in by_name if one.islower()))
            raise DefinitionError(
                f"there is no event '{name}'; the events are {known}", code=ErrorCode.INVALID_ARG
            )
        found.extend(by_name[name])
    return tuple(found)


def virsh_name(event: type[HypervisorEvent]) -> str:
    """What virsh calls it; an event of the host's devices has ``nodedev-`` before that."""
    is_of_domain = issubclass(event, DomainEvent)
    return event.libvirt_name if is_of_domain else f"nodedev-{event.libvirt_name}"
