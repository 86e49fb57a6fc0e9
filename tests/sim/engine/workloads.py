"""A program with a workload and a race that the canonical schedule does not meet."""

from __future__ import annotations

from collections.abc import Sequence

import trio


class OverdraftError(AssertionError):
    """More was paid out than there was."""


async def pay_out(amounts: Sequence[int]) -> None:
    """Two cashiers pay amounts from one account; those of 7 and more are booked a step later.

    There are pauses between the orders, so that the canonical schedule books one before it pays the
    next. The smallest workload that fails is ``[7, 7]``, under one decision out of turn.
    """
    balance = 13
    send, receive = trio.open_memory_channel[int](1)

    async def cashier() -> None:
        nonlocal balance
        async for amount in receive:
            if amount > balance:
                continue
            if amount >= 7:
                await trio.lowlevel.checkpoint()
            balance -= amount
            if balance < 0:
                raise OverdraftError(balance)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cashier)
        nursery.start_soon(cashier)
        async with send:
            for amount in amounts:
                await send.send(amount)
                for _ in range(4):
                    await trio.lowlevel.checkpoint()
