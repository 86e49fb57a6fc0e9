"""Requests about servers of graphics: their passwords can change, and nothing else of them."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.bare import MACHINE
from tests.conformance.libvirt.requests import DOMAIN, Request, Row, calls, device_rows

LIVE, CONFIG, CURRENT = Impact.LIVE, Impact.CONFIG, Impact.CURRENT

HERE = "<listen type='address' address='127.0.0.1'/>"
VNC = f"<graphics type='vnc' autoport='yes'%s>{HERE}</graphics>"
SPICE = f"<graphics type='spice' autoport='yes'%s>{HERE}%s</graphics>"
OLD = " passwd='old'"
LATER, EARLIER = "2037-01-02T03:04:05", "1999-12-31T23:59:59"

_VNC: tuple[tuple[str, str], ...] = (
    ("nothing", VNC % OLD),
    ("password", VNC % " passwd='new'"),
    ("password of eight letters", VNC % " passwd='12345678'"),
    ("password that is too long", VNC % " passwd='123456789'"),
    ("password that is empty", VNC % " passwd=''"),
    ("no password", VNC % ""),
    ("expiry", VNC % f" passwd='new' passwdValidTo='{LATER}'"),
    ("the same expiry", VNC % f" passwd='new' passwdValidTo='{LATER}'"),
    ("expiry that is over", VNC % f" passwd='new' passwdValidTo='{EARLIER}'"),
    ("expiry that is no time", VNC % " passwd='new' passwdValidTo='tomorrow'"),
    ("no expiry", VNC % " passwd='new'"),
    ("connected keep", VNC % " passwd='new' connected='keep'"),
    ("connected disconnect", VNC % " passwd='new' connected='disconnect'"),
    ("connected fail", VNC % " passwd='new' connected='fail'"),
    ("connected otherwise", VNC % " passwd='new' connected='maybe'"),
    ("address", VNC.replace("127.0.0.1", "::1") % OLD),
    ("listen to nothing", VNC.replace(HERE, "<listen type='none'/>") % OLD),
    ("listen to a socket", VNC.replace(HERE, "<listen type='socket' socket='SOCKET'/>") % OLD),
    ("listen twice", VNC.replace(HERE, f"{HERE}<listen type='address' address='::1'/>") % OLD),
    ("listen to two things", VNC % f"{OLD} listen='::1'"),
    ("port", VNC.replace("autoport='yes'", "port='6666'") % OLD),
    ("no autoport", VNC.replace("'yes'", "'no'") % OLD),
    ("port that is none", VNC % f"{OLD} port='many'"),
    ("keymap", VNC % f"{OLD} keymap='de'"),
    ("websocket", VNC % f"{OLD} websocket='5777'"),
    ("share policy", VNC % f"{OLD} sharePolicy='ignore'"),
    ("share policy that is none", VNC % f"{OLD} sharePolicy='mine'"),
    ("power control", VNC % f"{OLD} powerControl='yes'"),
)
_SPICE: tuple[tuple[str, str], ...] = (
    ("nothing", SPICE % (OLD, "")),
    ("password", SPICE % (" passwd='new'", "")),
    ("long password", SPICE % (" passwd='123456789'", "")),
    ("no password", SPICE % ("", "")),
    ("expiry", SPICE % (f" passwd='new' passwdValidTo='{LATER}'", "")),
    ("connected disconnect", SPICE % (" passwd='new' connected='disconnect'", "")),
    ("connected fail", SPICE % (" passwd='new' connected='fail'", "")),
    ("address", SPICE.replace("127.0.0.1", "::1") % (OLD, "")),
    ("listen to nothing", SPICE.replace(HERE, "<listen type='none'/>") % (OLD, "")),
    ("port", SPICE.replace("autoport='yes'", "port='6666'") % (OLD, "")),
    ("keymap", SPICE % (f"{OLD} keymap='de'", "")),
)
_OTHERS: tuple[tuple[str, str], ...] = (
    ("sdl", "<graphics type='sdl'/>"),
    ("headless", "<graphics type='egl-headless'/>"),
    ("dbus", "<graphics type='dbus'/>"),
    ("desktop", "<graphics type='desktop'/>"),
    ("of an unknown type", "<graphics type='oracle'/>"),
    ("without a type", "<graphics/>"),
)


def _updates(prefix: str, impact: Impact) -> list[Row]:
    rows = [(f"vnc: {name}", xml) for name, xml in _VNC]
    rows += [(f"spice: {name}", xml) for name, xml in _SPICE]
    rows += _OTHERS
    return [(f"{prefix} {name}", "update", xml, impact) for name, xml in rows]


_CALLS = (
    ("press one key on the screen", "send-keys", "KEY_A"),
    ("press three keys at once", "send-keys", "KEY_LEFTALT KEY_SYSRQ KEY_A"),
    ("press no key", "send-keys", ""),
    ("press a key that there is not", "send-keys", "KEY_NOTHING"),
    ("inject an NMI", "inject-nmi"),
    ("look at the screen", "screenshot", f"{DOMAIN} 0"),
    ("look at the second screen", "screenshot", f"{DOMAIN} 1"),
    ("tell of the screen's job", "job-info"),
    ("abort the screen's job", "abort-job"),
)


def screen_requests(_guest: Guest) -> list[Request]:
    """A machine with two servers of graphics, whose processors stand still."""
    servers = VNC % OLD + SPICE % (OLD, "")
    seen = MACHINE.replace("</devices>", f"{servers}</devices>")
    return [
        *calls(("define a screen", "define", seen)),
        *device_rows(_updates("off: update", CONFIG), settle=False),
        *calls(("define the screen again", "define", seen), ("start it", "start-paused")),
        *device_rows(_updates("update", LIVE), settle=False),
        *device_rows(
            [
                ("update the screen's password in both", "update", VNC % " passwd='both'",
                 LIVE | CONFIG),
                ("update the screen's address in both", "update",
                 VNC.replace("127.0.0.1", "::1") % OLD, LIVE | CONFIG),
                ("attach a second screen", "attach", VNC % OLD, LIVE | CONFIG),
                ("detach the screen", "detach", VNC % OLD, LIVE),
                ("detach the screen from the definition", "detach", VNC % OLD, CONFIG),
            ],
            settle=False,
        ),
        *calls(*_CALLS),
        *calls(
            ("destroy the screen", "destroy"),
            ("look at the screen while off", "screenshot", f"{DOMAIN} 0"),
            ("tell of a job while off", "job-info"),
            ("abort a job while off", "abort-job"),
            ("undefine the screen", "undefine"),
            ("look at what is gone", "screenshot", f"{DOMAIN} 0"),
        ),
    ]  # fmt: skip
