"""Requests about machines in files, and about what is written down of a domain."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.lives import EMPTY_XML
from tests.conformance.libvirt.requests import Request, Row, calls, device_rows

LIVE, CONFIG = Impact.LIVE, Impact.CONFIG


def saving_requests(_guest: Guest) -> list[Request]:
    """A machine without a guest is saved, dumped, renamed, described."""
    return [*_saves(), *_dumps(), *_names(), *_notes(), *_transients(), *_screens()]


def _saves() -> list[Request]:
    return calls(
        ("save before it exists", "save", "SAVED"),
        ("define for saving", "define", EMPTY_XML),
        ("save while off", "save", "SAVED"),
        ("managed save while off", "managed-save"),
        ("remove a managed save that is not there", "remove-managed-save"),
        ("start for saving", "start"),
        ("save it", "save", "SAVED"),
        ("restore", "restore", "SAVED"),
        ("restore while it runs", "restore", "SAVED"),
        ("save where nothing can be", "save", "/nowhere/at/all"),
        ("suspend for saving", "suspend"),
        ("save while suspended", "save", "SAVED"),
        ("restore what was suspended", "restore", "SAVED"),
        ("save it to run", "save-running", "SAVED"),
        ("restore it to run", "restore", "SAVED"),
        ("save once more", "save", "SAVED"),
        ("restore it paused", "restore-paused", "SAVED"),
        ("destroy what was restored", "destroy"),
        ("restore what is not there", "restore", "/nowhere/at/all"),
        ("restore what is no image", "restore", "IMAGE"),
        ("start for a managed save", "start"),
        ("managed save", "managed-save"),
        ("undefine what has a managed save", "undefine"),
        ("rename what has a managed save", "rename", "other"),
        ("start from the managed save", "start"),
        ("managed save again", "managed-save"),
        ("start paused from the managed save", "start-paused"),
        ("managed save while paused", "managed-save"),
        ("start from the paused managed save", "start"),
        ("resume after it", "resume"),
        ("managed save for the third time", "managed-save"),
        ("start anew", "start-anew"),
        ("managed save for the fourth time", "managed-save"),
        ("remove the managed save", "remove-managed-save"),
        ("start without the managed save", "start"),
        ("managed save for the fifth time", "managed-save"),
        ("undefine with the managed save", "undefine-saved"),
    )


def _dumps() -> list[Request]:
    return [
        *calls(
            ("define for dumping", "define", EMPTY_XML),
            ("dump while off", "core-dump", "CORE"),
            ("start for dumping", "start"),
            ("dump", "core-dump", "CORE"),
            ("dump where nothing can be", "core-dump", "/nowhere/at/all"),
            ("suspend for dumping", "suspend"),
            ("dump while suspended", "core-dump", "CORE"),
            ("resume after dumping", "resume"),
            ("press keys", "send-keys", "KEY_LEFTCTRL KEY_A"),
            ("wake what does not sleep", "pm-wakeup"),
        ),
        # Its firmware resets the machine once more, soon.
        Request(name="dump and reset", call="core-dump-reset", argument="CORE", settle=True),
        *calls(
            ("dump and crash", "core-dump-crash", "CORE"),
            ("press keys while off", "send-keys", "KEY_A"),
            ("inject an NMI while off", "inject-nmi"),
            ("wake while off", "pm-wakeup"),
        ),
    ]


def _screens() -> list[Request]:
    cards = """
      <video><model type='virtio' heads='2' primary='yes'/></video>
      <video><model type='virtio' heads='1'/></video>"""
    return calls(
        ("define with screens", "define", EMPTY_XML.replace("</devices>", f"{cards}</devices>")),
        ("screenshot while off", "screenshot", "demo 0"),
        ("start with screens", "start-paused"),
        ("screenshot", "screenshot", "demo 0"),
        ("screenshot of a second head", "screenshot", "demo 1"),
        ("screenshot of a second card", "screenshot", "demo 2"),
        ("screenshot of a screen that is not there", "screenshot", "demo 3"),
        ("destroy with screens", "destroy"),
        ("undefine with screens", "undefine"),
        ("create without screens", "create-paused", EMPTY_XML),
        ("screenshot without screens", "screenshot", "demo 0"),
        ("destroy without screens", "destroy"),
    )


def _names() -> list[Request]:
    return [
        *calls(
            ("rename to the same name", "rename", "demo"),
            ("rename to nothing", "rename", ""),
            ("rename to a path", "rename", "a/b"),
            ("autostart", "autostart", "yes"),
            ("autostart again", "autostart", "yes"),
            ("rename", "rename", "other"),
            ("define the old name", "define", EMPTY_XML),
            ("define the old name with another UUID", "define",
             EMPTY_XML.replace("0001</uuid>", "0003</uuid>")),
        ),
        Request(name="rename to a name in use", call="rename", argument="demo", domain="other"),
        Request(name="no autostart", call="autostart", argument="no", domain="other"),
        Request(name="start the renamed one", call="start", domain="other"),
        Request(name="rename while it runs", call="rename", argument="third", domain="other"),
        Request(name="autostart while it runs", call="autostart", argument="yes", domain="other"),
        Request(name="destroy the renamed one", call="destroy", domain="other"),
        Request(name="undefine the renamed one", call="undefine", domain="other"),
        *calls(("undefine the old name", "undefine")),
    ]  # fmt: skip


def _notes() -> list[Request]:
    element = "<note><by>me</by></note>"
    rows: tuple[Row, ...] = (
        ("title of the definition", "title", "A title", CONFIG),
        ("title with two lines", "title", "A\ntitle", CONFIG),
        ("title of what does not run", "title", "A title", LIVE),
        ("description of the definition", "description", "Two\nlines", CONFIG),
        ("element of the definition", "metadata", element, CONFIG),
        ("element that is none", "metadata", "<note", CONFIG),
        ("no element any more", "metadata", "", CONFIG),
        ("no element once more", "metadata", "", CONFIG),
        ("no title any more", "title", "", CONFIG),
    )
    running: tuple[Row, ...] = (
        ("title of the running one", "title", "Now", LIVE),
        ("title of both", "title", "Both", LIVE | CONFIG),
        ("description of both", "description", "Both", LIVE | CONFIG),
        ("element of both", "metadata", element, LIVE | CONFIG),
        ("element of the current one", "metadata", element, Impact.CURRENT),
    )
    return [
        *calls(("define for notes", "define", EMPTY_XML)),
        *device_rows(rows, settle=False),
        *calls(("start for notes", "start")),
        *device_rows(running, settle=False),
        *calls(("destroy for notes", "destroy"), ("undefine for notes", "undefine")),
    ]


def _transients() -> list[Request]:
    rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    return [
        *calls(
            ("create", "create", EMPTY_XML),
            ("create again", "create", EMPTY_XML),
            ("undefine what is transient", "undefine"),
            ("autostart of what is transient", "autostart", "yes"),
            ("managed save of what is transient", "managed-save"),
            ("rename what is transient", "rename", "other"),
        ),
        Request(name="attach to no definition", call="attach", argument=rng, impact=CONFIG),
        Request(name="attach to both without one", call="attach", argument=rng,
                impact=LIVE | CONFIG),
        Request(name="detach from no definition", call="detach", argument=rng, impact=CONFIG),
        Request(name="title of no definition", call="title", argument="A", impact=CONFIG),
        *calls(
            ("save what is transient", "save", "SAVED"),
            ("restore what was transient", "restore", "SAVED"),
            ("define it meanwhile", "define", EMPTY_XML),
            ("destroy what became persistent", "destroy"),
            ("create what is persistent", "create", EMPTY_XML),
            ("destroy it again", "destroy"),
            ("undefine it at last", "undefine"),
            ("create paused", "create-paused", EMPTY_XML),
            ("destroy what was paused", "destroy"),
            ("create what is no domain", "create", "<network/>"),
        ),
    ]  # fmt: skip
