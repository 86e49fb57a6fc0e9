"""A guest without a system: a firmware of a hundred bytes that does what the serial port says.

It is started in place of QEMU's own firmware, is there at once, and writes to the I/O ports it is
told to. Every machine event a guest can cause (power off, sleep, reset, panic, watchdog, clock,
eject) is a write to some port of the board, so a program can cause it at a moment of its choosing,
without the seconds a system takes to boot.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

# 16-bit code with 32-bit registers. A message is an opcode (b, w or l for 8, 16 or 32 bits), a port
# and one byte for it, or four; each is acknowledged by a full stop.
# Waiting for a byte, into al. The pause makes an emulated processor step out of its loop: one that
# never did would keep QEMU (RCU) from finalizing what was unplugged until the next `stop`.
_READ: Final = bytes.fromhex("bafd03 f390 ec a801 74f9 baf803 ec c3")
_ROM_BYTES: Final = 1 << 16
_ENTRY: Final = 0xFFF0  # where a processor begins
ACKNOWLEDGED: Final = b"."

Writes = Sequence[tuple[int, int, int]]


def firmware() -> bytes:
    """The image to give to ``-bios``."""
    code = bytearray(_READ)
    start = len(code)
    code += bytes.fromhex("fa 31c0 8ed0 bc0070")  # cli; a stack at 0:7000
    main = len(code)

    def read() -> bytes:
        return b"\xe8" + struct.pack("<h", -(len(code) + 3))  # call _READ

    for keep in ("88c3", "88c1", "88c5"):  # the opcode to bl, the port to cx
        code += read()
        code += bytes.fromhex(keep)
    code += bytes.fromhex("80fb62 7508")  # a byte?
    code += read()
    code += bytes.fromhex("89ca ee eb27")  # out dx, al
    code += bytes.fromhex("be0400")
    again = len(code)
    code += read()
    code += bytes.fromhex("66c1ef08 660fb6c0 66c1e018 6609c7 4e")  # into edi from above
    code += b"\x75" + struct.pack("b", again - (len(code) + 2))
    code += bytes.fromhex("6689f8 89ca 80fb77 7404 66ef eb01 ef")  # out dx, eax or ax
    code += bytes.fromhex("baf803 b02e ee")  # acknowledge
    code += b"\xe9" + struct.pack("<h", main - (len(code) + 3))
    entry = b"\xe9" + struct.pack("<H", (start - (_ENTRY + 3)) & 0xFFFF)
    image = bytes(code).ljust(_ENTRY, b"\0") + entry
    return image.ljust(_ROM_BYTES, b"\0")


def orders(writes: Writes) -> bytes:
    """What to send to the serial port for some writes: each a port, its size in bytes, a value."""
    return b"".join(
        struct.pack("<cHB", b"b", port, value)
        if size == 1
        else struct.pack("<cHL", b"w" if size == 2 else b"l", port, value)
        for port, size, value in writes
    )


# The power management block of the q35 board, put at port 0x600 as QEMU's own firmware does it.
_LPC: Final = 0x8000_0000 | 31 << 11
_POWER_BLOCK: Final = (
    (0xCF8, 4, _LPC | 0x40), (0xCFC, 4, 0x601),
    (0xCF8, 4, _LPC | 0x44), (0xCFC, 4, 0x80),
)  # fmt: skip
_SLEEP: Final = 0x604  # PM1_CNT: sleep type from bit 10, enable in bit 13

ACTIONS: Final[Mapping[str, Writes]] = {
    "power off": (*_POWER_BLOCK, (_SLEEP, 2, 0x2000)),
    "suspend": (*_POWER_BLOCK, (_SLEEP, 2, 0x2400)),
    "hibernate": (*_POWER_BLOCK, (_SLEEP, 2, 0x2800)),
    "reset": ((0xCF9, 1, 0x06),),
    "panic": ((0x505, 1, 0x01),),
    "load crash kernel": ((0x505, 1, 0x02),),
    "let watchdog expire": ((0x443, 1, 0x0F),),
    # ACPI's block for memory slots: choose slot 0, then the event, then what became of it.
    "report on memory slot": ((0xA00, 4, 0), (0xA04, 4, 1), (0xA08, 4, 0)),
    "set clock": ((0x70, 1, 0x00), (0x71, 1, 0x30)),
}
"""What somebody in the guest can do: action -> writes, in order."""
