"""The keys of a keyboard: Linux's names for them, as virsh takes them, and QEMU's."""

from __future__ import annotations

from collections.abc import Mapping

_SAME = [*"abcdefghijklmnopqrstuvwxyz0123456789", *(f"f{number}" for number in range(1, 13))]
"""Called the same by both."""

_OTHERS = {
    "esc": "esc",
    "minus": "minus",
    "equal": "equal",
    "backspace": "backspace",
    "tab": "tab",
    "leftbrace": "bracket_left",
    "rightbrace": "bracket_right",
    "enter": "ret",
    "leftctrl": "ctrl",
    "rightctrl": "ctrl_r",
    "leftshift": "shift",
    "rightshift": "shift_r",
    "leftalt": "alt",
    "rightalt": "alt_r",
    "leftmeta": "meta_l",
    "rightmeta": "meta_r",
    "semicolon": "semicolon",
    "apostrophe": "apostrophe",
    "grave": "grave_accent",
    "backslash": "backslash",
    "comma": "comma",
    "dot": "dot",
    "slash": "slash",
    "space": "spc",
    "capslock": "caps_lock",
    "numlock": "num_lock",
    "scrolllock": "scroll_lock",
    "sysrq": "sysrq",
    "pause": "pause",
    "insert": "insert",
    "delete": "delete",
    "home": "home",
    "end": "end",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "up": "up",
    "down": "down",
    "left": "left",
    "right": "right",
    "compose": "compose",
    "menu": "menu",
    "power": "power",
    "sleep": "sleep",
    "wakeup": "wake",
    "kpasterisk": "kp_multiply",
    "kpslash": "kp_divide",
    "kpminus": "kp_subtract",
    "kpplus": "kp_add",
    "kpenter": "kp_enter",
    "kpdot": "kp_decimal",
    **{f"kp{digit}": f"kp_{digit}" for digit in range(10)},
}

QEMU_KEYS: Mapping[str, str] = {
    **{f"KEY_{name.upper()}": name for name in _SAME},
    **{f"KEY_{linux.upper()}": qemu for linux, qemu in _OTHERS.items()},
}
"""Name in Linux's ``input-event-codes.h`` -> QEMU's ``QKeyCode``."""
