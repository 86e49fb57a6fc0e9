"""Requests about virtual processors: of a definition, of a running guest, of both."""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.requests import Request, Row, guest_xml

LIVE, CONFIG, CURRENT = Impact.LIVE, Impact.CONFIG, Impact.CURRENT
BOTH = LIVE | CONFIG

_OFF: tuple[Row, ...] = (
    ("off: two processors", "set-vcpus", "2", CONFIG),
    ("off: three, one of them pluggable", "set-vcpus-hotpluggable", "3", CONFIG),
    ("off: four", "set-vcpus", "4", CURRENT),
    ("off: one again", "set-vcpus", "1", CONFIG),
    ("off: more than there are places", "set-vcpus", "5", CONFIG),
    ("off: of the running machine", "set-vcpus", "2", LIVE),
    ("off: of both", "set-vcpus", "2", BOTH),
    ("off: six places", "set-max-vcpus", "6", CONFIG),
    ("off: four places", "set-max-vcpus", "4", CONFIG),
    ("off: enable one", "enable-vcpu", "1", CONFIG),
    ("off: enable it again", "enable-vcpu", "1", CONFIG),
    ("off: enable two", "enable-vcpu", "2-3", CONFIG),
    ("off: disable the first", "disable-vcpu", "0", CONFIG),
    ("off: enable what is not there", "enable-vcpu", "0,9", CONFIG),
    ("off: enable nothing", "enable-vcpu", "^1", CONFIG),
    ("off: enable no number", "enable-vcpu", "x", CONFIG),
    ("off: enable of the running machine", "enable-vcpu", "1", LIVE),
    ("off: disable three", "disable-vcpu", "1-3", CONFIG),
)

_RUNNING: tuple[Row, ...] = (
    ("more processors than places", "set-vcpus", "5", LIVE),
    ("more processors than places in both", "set-vcpus", "5", BOTH),
    ("other places of both", "set-max-vcpus", "2", BOTH),
    ("as many as there are", "set-vcpus", "1", LIVE),
    ("unplug the first", "disable-vcpu", "0", LIVE),
    ("unplug the first from both", "disable-vcpu", "0", BOTH),
    ("plug what is there", "enable-vcpu", "0", LIVE),
    ("plug two by number", "enable-vcpu", "1,2", LIVE),
    ("plug what has no place", "enable-vcpu", "7", LIVE),
    ("plug what has no place into both", "enable-vcpu", "7", BOTH),
    ("plug one into both", "enable-vcpu", "1", BOTH),
    ("plug it again", "enable-vcpu", "1", LIVE),
    ("three processors in both", "set-vcpus-hotpluggable", "3", BOTH),
    ("detach a processor as a device", "detach-alias", "vcpu1", LIVE),
    ("four processors", "set-vcpus", "4", LIVE),
)

_FIXED: tuple[Row, ...] = (
    ("fixed: fewer", "set-vcpus", "1", LIVE),
    ("fixed: unplug one", "disable-vcpu", "1", LIVE),
    ("fixed: take one in the middle from the definition", "disable-vcpu", "1", CONFIG),
    ("fixed: take the last from the definition", "disable-vcpu", "2", CONFIG),
)

_FIRST, _BORN = "<vcpu id='0' enabled='yes'/>", "<vcpu id='%d' enabled='yes' hotpluggable='no'/>"
_REFUSED = {
    "current above the maximum": "<vcpu current='5'>4</vcpu>",
    "no first processor": "<vcpu current='0'>4</vcpu>",
    "too many places": "<vcpu>289</vcpu>",
    "a pluggable first one": """<vcpu>1</vcpu>
        <vcpus><vcpu id='0' enabled='yes' hotpluggable='yes'/></vcpus>""",
    "one that is fixed and not there": f"""<vcpu>2</vcpu>
        <vcpus>{_FIRST}<vcpu id='1' enabled='no' hotpluggable='no'/></vcpus>""",
    "fixed ones behind others": f"""<vcpu>3</vcpu>
        <vcpus>{_FIRST}<vcpu id='1' enabled='no' hotpluggable='yes'/>{_BORN % 2}</vcpus>""",
    "a number beyond": f"<vcpu>1</vcpu><vcpus>{_FIRST}{_BORN % 1}</vcpus>",
    "an order for some": f"""<vcpu>2</vcpu>
        <vcpus><vcpu id='0' enabled='yes' order='1'/>{_BORN % 1}</vcpus>""",
}


def _refused_definitions() -> list[Request]:
    head = "<domain type='qemu'><name>refused</name><memory unit='MiB'>64</memory>"
    tail = "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    return [
        Request(name=f"define {name}", call="define", argument=f"{head}{vcpus}{tail}")
        for name, vcpus in _REFUSED.items()
    ]


def _rows(rows: Iterable[Row], *, settle: bool = False) -> list[Request]:
    return [
        Request(name=name, call=call, argument=argument, impact=impact, settle=settle)
        for name, call, argument, impact in rows
    ]


def vcpu_requests(guest: Guest) -> list[Request]:
    """Processors of a definition and of a running guest.

    One leaves the guest at the very end: QEMU 7.2 does not survive much after that.
    """
    roomy = guest_xml(guest).replace("<os>", "<vcpu current='1'>4</vcpu><os>", 1)
    fixed = roomy.replace(" current='1'>4<", ">3<")
    return [
        *_refused_definitions(),
        Request(name="define room for processors", call="define", argument=roomy),
        *_rows(_OFF),
        Request(name="start with one processor", call="start"),
        Request(name="let it boot with one", call="boot"),
        *_rows(_RUNNING, settle=True),
        Request(name="unplug a processor", call="disable-vcpu", argument="3"),
        Request(name="destroy it with its processors", call="destroy"),
        Request(name="define fixed processors", call="define", argument=fixed),
        Request(name="start with three", call="start-paused"),
        *_rows(_FIXED),
        Request(name="destroy it with three", call="destroy"),
        Request(name="undefine it with three", call="undefine"),
    ]
