"""The founding promise (libvirt bug 1658198): DeviceRemoved tells of a teardown that is over."""

from __future__ import annotations

from pyvirt_sim.checkers.promise import Observation, require
from pyvirt_trio import DeviceRemoved, Hypervisor, NotFoundError, PciAddress

CHECKER = "removed-means-gone"
PROMISE = "Who receives DeviceRemoved finds no trace of the device."


def check_removed_means_gone(
    hypervisor: Hypervisor, event: DeviceRemoved, source: PciAddress | None, observer: str
) -> None:
    """Ask, at the delivery of ``event``, whether the device is really gone.

    To be called in the same step in which the observer receives the event.

    Args:
        hypervisor: Where the event comes from.
        event: What was received.
        source: The host's address of the device, when it is a host device.
        observer: Who received it, for the report.

    Raises:
        PromiseBrokenError: The alias is in a definition, or ``source`` is still active.
    """
    observations = [
        Observation(
            f"is {event.alias} in the live definition of {event.domain}?",
            "no",
            _yes_or_no(_is_defined(hypervisor, event)),
        )
    ]
    if source is not None:
        is_active = source in hypervisor.host_devices.active
        observations.append(Observation(f"is {source} in activeDevs?", "no", _yes_or_no(is_active)))
    moment = f"{observer} receives DeviceRemoved({event.alias})"
    require(CHECKER, PROMISE, moment, observations)


def _is_defined(hypervisor: Hypervisor, event: DeviceRemoved) -> bool:
    try:
        view = hypervisor.domain(event.uuid).view
    except NotFoundError:
        return False
    if view.life != event.life or view.live is None:
        return False  # that life is over: nothing of it can be left
    return view.live.device(event.alias) is not None


def _yes_or_no(answer: bool) -> str:
    return "yes" if answer else "no"
