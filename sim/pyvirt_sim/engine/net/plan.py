"""What may happen on a link without being told to: the options among which a run's draws choose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

__all__ = [
    "CONNECT_TIMEOUT_S",
    "RECEIVE_BUFFER_BYTES",
    "RETRANSMIT_TIMEOUT_S",
    "SEND_BUFFER_BYTES",
    "TIME_WAIT_S",
    "LinkPlan",
]

# How much a sender may be ahead of the reader is the sum of both; SO_SNDBUF and SO_RCVBUF change
# them. Smaller than Linux's (which grow to megabytes), so that back-pressure is met in tests.
SEND_BUFFER_BYTES: Final = 64 * 1024
RECEIVE_BUFFER_BYTES: Final = 64 * 1024
# Linux: net.ipv4.tcp_syn_retries = 6 gives up after 127 s, tcp_retries2 = 15 after 924.6 s,
# TCP_TIMEWAIT_LEN is 60 s.
CONNECT_TIMEOUT_S: Final = 127.0
RETRANSMIT_TIMEOUT_S: Final = 924.6
TIME_WAIT_S: Final = 60.0


def _seconds(values: float | Iterable[float]) -> tuple[float, ...]:
    return (
        (float(values),)
        if isinstance(values, (int, float))
        else tuple(float(value) for value in values)
    )


def _check_seconds(_: object, attribute: attrs.Attribute[Any], values: tuple[float, ...]) -> None:
    if not values or not all(0 <= value < float("inf") for value in values):
        raise ValueError(f"{attribute.name} must be one or more finite delays, not {values}")


def _check_chance(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 0 or value == 1:
        raise ValueError(f"{attribute.name} must be 0 (never) or at least 2, not {value}")


@attrs.frozen(kw_only=True)
class LinkPlan:
    """What the draws of a run may do to the traffic of a link, in one direction.

    The default is plain: everything arrives at once and nothing fails. Delays and cuts are drawn
    from the stream ``latency``, faults from ``faults``; 0, the canonical answer, is always the
    plain one, so a shrunk tape names only what matters.

    Attributes:
        latency_s: seconds a message may take; one option is drawn per message, the first is the
            plain one. Messages of one connection never overtake each other.
        split_reads: a read may return any non-empty prefix of what has arrived.
        join_reads: a read returns all that has arrived, as a kernel does. False: it returns bytes
            of one ``send`` only, which hides bugs; useful to show that a failure is about that.
        stall_one_in: one message in so many (0: none) stops at a drawn byte for one of
            ``stall_s``.
        stall_s: seconds a stall may last, one option is drawn per stall.
        reset_one_in: one message in so many (0: none) is cut at a drawn byte and its connection
            reset. Unix sockets and socket pairs are exempt, as nothing can reset them.
    """

    latency_s: tuple[float, ...] = attrs.field(
        default=(0.0,), converter=_seconds, validator=_check_seconds
    )
    split_reads: bool = False
    join_reads: bool = True
    stall_one_in: int = attrs.field(default=0, validator=_check_chance)
    stall_s: tuple[float, ...] = attrs.field(
        default=(1.0,), converter=_seconds, validator=_check_seconds
    )
    reset_one_in: int = attrs.field(default=0, validator=_check_chance)
