"""The background process says that it listens, and has not begun to."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.checkers import subscription_window
from pyvirt_sim.scenarios.lives import SUSPENDS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import Record
from pyvirt_trio.driver.journal import Subscription

_receive = Subscription.receive


async def _receive_from_now(self: Subscription) -> Record:
    if "_has_begun" not in vars(self):
        vars(self)["_has_begun"] = True
        self._sequence = self._journal.sequence
    return await _receive(self)


MUTANT = Mutant(
    number=143,
    slug="confirmed-before-subscribed",
    title="A subscription is confirmed before it is in place: what happens in between is lost.",
    sources=(
        "https://github.com/QubesOS/qubes-issues/issues/2622",
        "qubes-core-admin commit 643cef1e",
        "tp-libvirt commit 5d6a4bb3a",
    ),
    kind=BugClass.LOST,
    promise="From the confirmation of a subscription on, nothing is missed.",
    replaces="the journal's subscriptions: they begin when they are first read",
    scenario=SUSPENDS,
    checker=subscription_window.NAME,
    depth=0,
    planted=replacing((Subscription, "receive", _receive_from_now)),
)
