"""What a guest shares with the host or with other guests: sockets, folders, leases."""

from __future__ import annotations

import attrs

from pyvirt_trio.models.devices import Device


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Vsock(Device):
    """Sockets between guest and host, without a network (``vhost-vsock-pci``).

    Args:
        cid: The guest's number among all guests of the host, 3 or more; ``None`` means "choose
            one".
        is_auto: It was chosen, or is to be; a new one may be chosen for another domain.
    """

    cid: int | None = None
    is_auto: bool = True


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Filesystem(Device):
    """A folder of the host that the guest mounts (``virtiofs``), served by a virtiofsd.

    Somebody else runs the virtiofsd, and there is a socket; or there is a folder, and each life of
    the domain has a virtiofsd of its own, and the socket is known while it lives.

    Args:
        tag: The name under which the guest mounts it.
        socket: Absolute path of the socket where the virtiofsd listens.
        source_dir: Absolute path of the folder.
        queue_size: How many requests may be under way; ``None`` leaves it to QEMU.
        binary: The virtiofsd to run; ``None`` is the one that QEMU's packages name.
        cache: What it may keep: ``none`` or ``always``; ``None`` leaves it to the virtiofsd.
        has_xattr: Whether extended attributes are seen; ``None`` leaves it to the virtiofsd.
        sandbox: What keeps it in the folder: ``namespace`` or ``chroot``; ``None`` leaves it to the
            virtiofsd.
    """

    tag: str
    socket: str | None = None
    source_dir: str | None = None
    queue_size: int | None = None
    binary: str | None = None
    cache: str | None = None
    has_xattr: bool | None = None
    sandbox: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Lease(Device):
    """A promise of the host's lock manager that nobody else runs with the same things.

    The guest sees nothing of it. This library has libvirt's default lock manager, which grants
    whatever it is asked for.

    Args:
        lockspace: Where the lock belongs; ``None`` is the default one.
        key: What is locked; unique within its lockspace.
        path: The file that holds the lock.
        offset: Where in that file, in bytes.
    """

    key: str
    path: str
    lockspace: str | None = None
    offset: int = 0
