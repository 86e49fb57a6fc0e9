"""The monitor itself: bad messages, bad arguments, bursts, out of band, coming and going."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Burst, Execute, Raw, Reconnect, Step
from pyvirt_sim.qemu import schema

# Pieces of JSON and of what only looks like it; more than eight messages in a row crash QEMU 7.2.
_PIECES: Final = (
    b"{", b"}", b"[", b"]", b":", b",", b'"', b"'", b"\\", b"\\u00e9", b"\\ud834\\udd1e",
    b"\\udd1e", b"\\ufffe", b"\\uzz", b"\\n", b"\\q", b" ", b"\n", b"\t", b"-", b"0", b"12", b".",
    b"e1", b"E+", b"true", b"null", b"nul", b'"id"', b'"a":', b"\x00", b"\x01", b"\x7f", b"\xff",
    b"\xc3\xa9", b"%", b'{"execute":"query-name"}', b'{"id":1}', b"[1,2]",
    b'"execute":', b'"arguments":', b"\x80",
)  # fmt: skip
_ENVELOPES: Final = (
    b"{}", b'{"execute":5}', b'{"arguments":{}}', b'{"execute":"query-name","arguments":[]}',
    b'{"execute":"query-name","zz":1,"aa":2,"bb":3}', b'{"exec-oob":"query-yank"}',
    b'{"execute":"query-name","exec-oob":"query-name"}', b'{"exec-oob":5}', b"[]", b'"query-name"',
    b'{"execute":"query-name","id":{"a":[1,null,true]}}', b'{"exec-oob":"query-name"}', b'{"id":5}',
    b'{"execute":"no-such-command","arguments":{"a":1}}', b"{'execute':'query-name'}",
    b'{"execute":"query-name","id":18446744073709551615}', b'{"execute":"query-name","id":1.5}',
)  # fmt: skip
_MAX_PIECES: Final = 6
_SAFE: Final = ("query-name", "query-status", "query-uuid", "query-version", "query-yank")
_WRONG: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 300, 1 << 31, 1 << 33, 1 << 63, 1 << 64, 1.5, "", "x", [], ["x"], {},
    {"a": 1},
)  # fmt: skip


def _raw(random: Random) -> list[Step]:
    if random.random() < 0.4:
        return [Raw(random.choice(_ENVELOPES))]
    pieces = [random.choice(_PIECES) for _ in range(random.randint(1, _MAX_PIECES))]
    return [Raw(b"".join(pieces))]


def _refused(random: Random) -> list[Step]:
    """A command whose last member cannot be right: nothing is executed, whatever the rest says."""
    command = random.choice(sorted(schema.COMMANDS.keys() - schema.UNCHECKED))
    arguments = _arguments(random, schema.COMMANDS[command].arguments)
    for _ in range(random.randint(1, 3)):
        arguments[random.choice(("zz", "no-such-member", "Id", "-", "a.b", "foo_bar"))] = 0
    return [Execute(command, arguments)]


def _arguments(random: Random, kind: str) -> dict[str, Any]:
    """Members of an object type, right and wrong."""
    found = schema.TYPES[kind]
    assert isinstance(found, schema.Object)
    result: dict[str, Any] = {}
    for member in found.members:
        if random.random() < (0.3 if member.is_optional else 0.85):
            result[member.name] = _value(random, member.type)
    branch = found.variants.get(str(result.get(found.tag))) if found.tag is not None else None
    return result | (_arguments(random, branch) if branch is not None else {})


def _value(random: Random, kind: str) -> Any:
    if random.random() < 0.15:
        return random.choice(_WRONG)
    if kind.startswith("["):
        return [_value(random, kind[1:-1]) for _ in range(random.randint(0, 2))]
    simple: dict[str, Callable[[], Any]] = {
        "str": lambda: random.choice(("x", "disk0", "")),
        "bool": lambda: random.choice((True, False)),
        "number": lambda: random.choice((0, 1.5)),
        "null": lambda: None,
        "any": lambda: 0,
    }
    if kind in simple:
        return simple[kind]()
    found = schema.TYPES.get(kind)
    match found:
        case None:  # an integer of some width
            return random.choice((0, 1, 7))
        case schema.Enum(values):
            return random.choice(sorted(values))
        case schema.Alternate(_, types):
            return _value(random, random.choice(types))
        case _:
            return _arguments(random, kind)


def _burst(random: Random) -> list[Step]:
    # Without out-of-band execution a burst of any length waits its turn in the socket.
    commands = [Execute(random.choice(_SAFE)) for _ in range(random.randint(2, 12))]
    return [Burst(tuple(commands))]


def _reconnect(random: Random) -> list[Step]:
    first = random.choice((b"", b"{", b'{"execute":"query-na', b'"', b'{"execute":"stop"', b"[1,"))
    steps: list[Step] = [Reconnect(first, random.choice(((), (), ("oob",))))]
    if random.random() < 0.5:
        command = random.choice(("query-yank", "query-yank", "query-name", "no-such-command"))
        steps.append(Execute(command, out_of_band=True))
    return steps


def _generate(random: Random, _scene: Scene) -> list[Step]:
    make = random.choice((_raw, _refused, _refused, _refused, _burst, _reconnect))
    return make(random)


FAMILY = Family(name="monitor", generate=_generate, weight=2)
