"""What a change of a domain's devices affects."""

from __future__ import annotations

import enum


class Impact(enum.Flag):
    """libvirt's ``virDomainModificationImpact``, with its numbers.

    ``CURRENT`` is the running machine of a domain that runs, and the persistent definition of any
    other. ``LIVE | CONFIG`` is both.
    """

    CURRENT = 0
    LIVE = 1
    CONFIG = 2
