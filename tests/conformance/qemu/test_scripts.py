"""Scripted cases: every refusal the schema knows, bad messages, and the ways through run states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from pyvirt_sim.conformance.compare import run_program
from pyvirt_sim.conformance.program import (
    Execute,
    InGuest,
    Pause,
    Program,
    Raw,
    Reconnect,
    Step,
    Terminate,
)
from pyvirt_sim.qemu import schema

pytestmark = pytest.mark.real_qemu

STEPS_A_MACHINE = 120
# A member that no command has: whatever else is right, nothing is executed.
SPOILER = "no-such-member"
WRONG: tuple[Any, ...] = (None, True, -1, 1 << 40, 1 << 64, 1.5, "nope", [], {})

BAD_MESSAGES = (
    b"{}", b"[]", b"[1,2]", b"null", b'"text"', b"12", b"-0", b"01", b"1.", b"1e", b"0e1", b"-",
    b"+1", b"truex", b"True", b"{,}", b"{:}", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{"a" 1}',
    b"{1:2}", b'{"a":1 "b":2}', b'{"a":1,"a":2}', b"[1 2]", b"[,]", b"[1,]", b"]", b"}", b"[}",
    b"{]", b"[[[}", b"'single'", b"{'execute':'query-name'}", b'"\\x"', b'"\\u12"', b'"\\ud800"',
    b'"\\udc00x"', b'"\\ud834\\udd1e"', b'"\\ufffe"', b'"\\u0000"', b'"\xff"', b'"\xc3"',
    b'"\xc3\xa9"', b"\x80", b"\x00", b'"\x01"', b'"tab\there"', b'"line\nhere"', b"@", b"%d",
    b'"%d"', b"/* no comment */", b"# nor this", b'{"execute":"query-name"}', b'{"execute":1}',
    b'{"execute":null}', b'{"arguments":{}}', b'{"id":1}',
    b'{"execute":"query-name","arguments":[]}', b'{"execute":"query-name","arguments":null}',
    b'{"execute":"query-name","control":{}}', b'{"execute":"query-name","x":1,"y":2,"z":3,"a":4}',
    b'{"execute":"query-name","exec-oob":"query-name"}', b'{"exec-oob":"query-yank"}',
    b'{"exec-oob":1}', b'{"execute":""}', b'{"execute":"Query-name"}',
    b'{"execute":"query_name","id":[]}', b'{"execute":"query-name","id":null}',
    b'{"execute":"query-name","id":9223372036854775808}', b'{"execute":"query-name","id":-1.0}',
)  # fmt: skip


def scripted(words: str) -> tuple[Step, ...]:
    """Steps from words: a command and its arguments, or ``!`` and what the guest does."""
    return tuple(map(step, words.split("; ")))


def step(words: str) -> Step:
    if words.startswith("!"):
        return InGuest(words[1:])
    if words == "SIGTERM":
        return Terminate()
    command, *arguments = words.split(" ")
    return Execute(command, dict(argument.split("=") for argument in arguments))


RUN_STATES = {
    name: scripted(script)
    for name, script in {
        "stop twice": "cont; stop; stop; cont; cont; query-status",
        "reset while stopped": "cont; stop; system_reset; query-status; cont; query-status",
        "reset before the start": "system_reset; query-status; cont; system_reset; query-status",
        "sleep and wake": "cont; !suspend; query-status; system_wakeup; query-status; !reset",
        "sleep and stop": "cont; !suspend; stop; cont; query-status; system_wakeup; stop",
        "sleep and reset": "cont; !suspend; system_reset; query-status; cont; !suspend",
        "wake nobody": "system_wakeup; cont; system_wakeup; stop; system_wakeup",
        "sleep twice": "cont; !suspend; system_wakeup; !suspend; system_wakeup; query-status",
        "button while asleep": "cont; !suspend; system_powerdown; system_wakeup; query-status",
        "button while stopped": "system_powerdown; cont; stop; system_powerdown; query-status",
        "panic, paused": "set-action panic=pause; cont; !panic; query-status; cont; query-status",
        "panic, ignored": "set-action panic=none; cont; !panic; query-status; !panic",
        "panic, shut down": "cont; !panic",
        "panic, failure": "set-action panic=exit-failure; cont; !panic",
        "panic, kept": "set-action shutdown=pause; cont; !panic; query-status; system_reset; cont",
        "panic, failure, kept": "set-action panic=exit-failure shutdown=pause; cont; !panic; cont",
        "crash kernel": "cont; !load crash kernel; query-status; !load crash kernel",
        "watchdog": "cont; !let watchdog expire; query-status",
        "watchdog, paused": "watchdog-set-action action=pause; cont; !let watchdog expire; cont",
        "watchdog, button": "watchdog-set-action action=shutdown; cont; !let watchdog expire",
        "watchdog, off": "watchdog-set-action action=poweroff; cont; !let watchdog expire",
        "watchdog, none": "watchdog-set-action action=none; cont; !let watchdog expire; stop",
        "watchdog, nmi": "watchdog-set-action action=inject-nmi; cont; !let watchdog expire",
        "power off": "cont; !power off",
        "power off, kept": "set-action shutdown=pause; cont; !power off; query-status; cont; stop",
        "power off, kept, reset": "set-action shutdown=pause; cont; !power off; system_reset; cont",
        "hibernate": "cont; !hibernate",
        "hibernate, kept": "set-action shutdown=pause; cont; !hibernate; query-status",
        "reboot": "cont; !reset; query-status; !reset",
        "reboot, shut down": "set-action reboot=shutdown; cont; !reset",
        "reset, shut down": "set-action reboot=shutdown; system_reset",
        "reboot, kept": "set-action reboot=shutdown shutdown=pause; cont; !reset; query-status",
        "clock, twice in a second": "cont; !set clock; !set clock; !set clock; query-status",
        "terminated": "cont; SIGTERM",
        "terminated, stopped": "SIGTERM",
        "terminated, kept": "set-action shutdown=pause; cont; SIGTERM",
        "wrong actions": "set-action panic=x; set-action x=y; watchdog-set-action action=x; cont",
    }.items()
}


def refusals() -> Iterator[Execute]:
    """Each command with a member too many, with none, and with each member of each wrong type."""
    for command in sorted(schema.COMMANDS.keys() - schema.UNCHECKED - {"qmp_capabilities"}):
        kind = schema.TYPES[schema.COMMANDS[command].arguments]
        assert isinstance(kind, schema.Object)
        yield Execute(command, {SPOILER: 0})
        for index, member in enumerate(kind.members):
            value = WRONG[(len(command) + index) % len(WRONG)]
            yield Execute(command, {member.name: value, SPOILER: 0})


def compare(shape: str, steps: Sequence[Step]) -> None:
    outcome = run_program(Program(shape, tuple(steps)))
    assert outcome.gaps == ()
    assert outcome.difference is None, outcome.difference.as_text()


def parts(steps: Sequence[Step]) -> list[Sequence[Step]]:
    return [steps[at : at + STEPS_A_MACHINE] for at in range(0, len(steps), STEPS_A_MACHINE)]


@pytest.mark.parametrize("steps", parts(list(refusals())), ids=lambda steps: steps[0].command)
def test_arguments_are_refused_in_the_same_words(steps: Sequence[Step]) -> None:
    compare("q35", steps)


def test_there_are_hundreds_of_refusals() -> None:
    assert len(list(refusals())) >= 500


@pytest.mark.parametrize("enable", [(), ("oob",)], ids=["in band", "oob"])
def test_bad_messages_are_answered_in_the_same_words(enable: tuple[str, ...]) -> None:
    compare("q35", [Reconnect(enable=enable), *map(Raw, BAD_MESSAGES)])


@pytest.mark.parametrize("script", RUN_STATES)
def test_run_states_follow_each_other_alike(script: str) -> None:
    compare("bare", RUN_STATES[script])


def test_rate_limited_events_come_a_second_apart() -> None:
    act = InGuest("set clock")
    compare("bare", [Execute("cont"), act, act, Pause(1.5), act, Pause(1.5), Pause(1.5), act])


@pytest.mark.parametrize(
    "first", [b"{", b'{"execute":', b'{"execute":"stop"', b'"', b"[1,", b"tru"]
)
def test_a_client_may_leave_at_any_byte(first: bytes) -> None:
    begin = (Execute("cont"), Reconnect(first), Execute("query-status"))
    compare("q35", [*begin, Reconnect(first, ("oob",)), Execute("query-yank", out_of_band=True)])


@pytest.mark.parametrize("driver", ["lsi53c895a", "virtio-rng-pci"])
def test_a_reset_by_a_busy_guest_finishes_an_unplug_without_waiting_for_a_stop(driver: str) -> None:
    add = Execute("device_add", {"driver": driver, "id": "d", "bus": "pci.2"})
    asked = (add, Execute("device_del", {"id": "d"}), Execute("cont"))
    compare("bare-room", [*asked, InGuest("reset"), Execute("stop")])


STREAM_ENDS = {
    "server leaves": "+s; +c; -s; -c",
    "client leaves and comes again": "+s; +c; -c; +c; -c; -s",
    "nobody listens": "+c; +s; -c; +c",
    "listener came too late": "+c; +s; -s; -c",
}


def stream(words: str) -> Iterator[Step]:
    """``+`` and ``-``: a back end comes and goes, ``s`` the one that listens."""
    for word in words.split("; "):
        if word[0] == "-":
            yield Execute("netdev_del", {"id": word[1]})
            continue
        address = {"type": "unix", "path": "$ROOT/net"}
        server = {"server": True} if word == "+s" else {}
        yield Execute("netdev_add", {"type": "stream", "id": word[1], "addr": address, **server})
        yield Pause(0.1)


@pytest.mark.parametrize("script", STREAM_ENDS)
def test_ends_of_a_network_stream_hear_of_each_other(script: str) -> None:
    compare("q35", list(stream(STREAM_ENDS[script])))


@pytest.mark.parametrize("first", [(1, 3), (3, 1), (0, 3)], ids=str)
def test_jobs_rest_in_the_order_of_their_nodes(first: tuple[int, int]) -> None:
    second = tuple(sorted({0, 1, 2, 3} - set(first), reverse=True))
    names = [f"node{number}" for number in range(4)]
    node = {"driver": "null-co", "size": 65536}
    steps: list[Step] = [Execute("blockdev-add", {**node, "node-name": name}) for name in names]
    for job, (source, target) in (("one", first), ("two", second)):
        nodes = {"device": names[source], "target": names[target], "sync": "full"}
        steps.append(Execute("blockdev-mirror", {**nodes, "job-id": job}))
    compare("q35", [*steps, Execute("stop"), Execute("query-jobs")])


LIMITS: tuple[dict[str, int | str], ...] = (
    {"bps": 10},
    {"bps": 10, "bps_rd": 3},
    {"bps_max": 5},
    {"bps": 10, "bps_max": 5},
    {"iops_max": 5},
    {"iops_size": 5},
    {"iops": 3, "iops_size": 5},
    {"bps": 10, "bps_max": 50, "bps_max_length": 3},
    {"bps": 10, "bps_max": 50, "bps_max_length": 0},
    {"bps": 10, "bps_max_length": 0},
    {"bps_max_length": 3},
    {"bps_max_length": 1},
    {"bps": -1},
    {"bps": 10**15 + 1},
    {"bps": 10, "bps_max": 10**15, "bps_max_length": 2},
    {"bps": 10, "bps_max": 20, "bps_rd_max": 5},
    {"bps_rd": 10, "bps_max": 20},
    {"bps": 10, "group": "g"},
    {"bps": 10, "bps_max": -5},
    {"bps": 10, "iops": 3, "iops_rd": 2},
    {"id": "disk"},
    {"id": "nope"},
    {},
)


def test_limits_of_a_disk_are_taken_and_refused_alike() -> None:
    none = dict.fromkeys(("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"), 0)
    disk = {"id": "/machine/peripheral/disk/virtio-backend"}
    steps: list[Step] = [
        Execute("blockdev-add", {"driver": "null-co", "node-name": "node", "size": 65536}),
        Execute(
            "device_add",
            {"driver": "virtio-blk-pci", "id": "disk", "drive": "node", "bus": "pci.1"},
        ),
    ]
    steps += [Execute("block_set_io_throttle", {**none, **disk, **limits}) for limits in LIMITS]
    compare("q35-buses", steps)


def test_a_stream_of_a_disk_that_is_in_use_has_the_same_life() -> None:
    stream = {"job-id": "job", "device": "node", "speed": 1000, "auto-dismiss": False}
    compare(
        "q35-buses",
        [
            Execute("blockdev-add", {"driver": "null-co", "node-name": "node", "size": 1 << 30}),
            Execute(
                "device_add",
                {"driver": "virtio-blk-pci", "id": "disk", "drive": "node", "bus": "pci.1"},
            ),
            Execute("block-stream", stream),
            Execute("block-stream", stream),
            Execute("query-jobs"),
            Execute("query-block-jobs"),
            Execute("job-dismiss", {"id": "job"}),
            Execute("block-stream", stream),
            Execute("query-jobs"),
            Execute("quit"),
        ],
    )
