"""The tape: every decision of one run, as labelled bounded draws in separate named streams.

A *draw* is a number ``0 <= value < bound``. 0 is always the canonical answer: the task that has
been runnable longest, no fault, the shortest latency. Draws of different streams are kept apart,
so that one more draw in ``latency`` does not shift the meaning of those in ``schedule``. Choices
with one possible answer are never drawn and never recorded.

Two printable forms. The line form carries values only, and a check of everything else, and can be
pasted into a shell without quotes:

    tape1,any,idle,python3.11.7,trio0.35.0,canary1a2b3c4d,schedule=45/9c01ffe2/z12.1.z7.2

(45 draws: twelve zeros, a 1, seven zeros, a 2, and zeros to the end.) The file form is JSON and
carries labels and bounds as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs

from pyvirt_sim.engine.errors import TapeFormatError

__all__ = ["SCHEDULE", "Draw", "Stream", "Tape"]

VERSION: Final = 1
SCHEDULE: Final = "schedule"
_STREAM_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
# A tape is read from files and command lines of other people: bound what one line may unfold to.
# Ten million draws is a hundred times the default step limit.
MAX_DRAWS: Final = 10_000_000


@attrs.frozen
class Draw:
    """One decision: ``value`` out of ``range(bound)``; ``label`` says what was decided."""

    label: str
    bound: int
    value: int


@attrs.frozen
class Stream:
    """The draws of one stream, in order.

    Attributes:
        values: the draws' values.
        bounds: their bounds, or None when the tape came from its line form.
        labels: their labels, or None likewise. In ``schedule`` the label is the path of the task
            that was chosen.
        check: eight hex digits over labels, bounds and values.
    """

    values: tuple[int, ...]
    bounds: tuple[int, ...] | None
    labels: tuple[str, ...] | None
    check: str

    @classmethod
    def of(cls, draws: Sequence[Draw]) -> Stream:
        """Return the stream made of ``draws``."""
        return cls.of_columns(
            tuple(d.value for d in draws),
            tuple(d.bound for d in draws),
            tuple(d.label for d in draws),
        )

    @classmethod
    def of_columns(
        cls, values: Sequence[int], bounds: Sequence[int], labels: Sequence[str]
    ) -> Stream:
        """Return the stream whose columns are given."""
        text = json.dumps([list(values), list(bounds), list(labels)])
        check = hashlib.sha256(text.encode()).hexdigest()[:8]
        return cls(tuple(values), tuple(bounds), tuple(labels), check)

    @property
    def deviations(self) -> int:
        """How many values are not the canonical 0."""
        return sum(value != 0 for value in self.values)


def _stream_map(streams: Mapping[str, Stream]) -> Mapping[str, Stream]:
    return MappingProxyType(dict(sorted(streams.items())))


@attrs.frozen
class Tape:
    """Everything needed to run the same execution again, and to notice that it is not the same.

    Attributes:
        policy: ``any`` or ``batch``, see ``simulate``.
        timers: ``idle`` or ``choice``, see ``simulate``.
        python, trio: versions that recorded it. Another version may schedule differently.
        canary: first digits of the canary digest of the recording engine.
        streams: the draws, by stream name.
    """

    policy: str
    timers: str
    python: str
    trio: str
    canary: str
    streams: Mapping[str, Stream] = attrs.field(converter=_stream_map, hash=False)

    @property
    def deviations(self) -> int:
        """How many draws, over all streams, are not canonical."""
        return sum(stream.deviations for stream in self.streams.values())

    def values(self, stream: str) -> tuple[int, ...]:
        """Return the values of ``stream``, empty when nothing was drawn from it."""
        found = self.streams.get(stream)
        return () if found is None else found.values

    def with_values(self, values: Mapping[str, Sequence[int]]) -> Tape:
        """Return a tape with the same header and other values, for a lenient replay."""
        streams = {name: Stream(tuple(vals), None, None, "") for name, vals in values.items()}
        return attrs.evolve(self, streams=streams)

    def to_text(self) -> str:
        """Return the one-line form: printable, without a character that a shell would touch."""
        head = [
            f"tape{VERSION}",
            self.policy,
            self.timers,
            f"python{self.python}",
            f"trio{self.trio}",
            f"canary{self.canary}",
        ]
        body = [
            f"{name}={len(stream.values)}/{stream.check}/{_pack(stream.values)}"
            for name, stream in self.streams.items()
        ]
        return ",".join(head + body)

    @classmethod
    def from_text(cls, text: str) -> Tape:
        """Return the tape whose one-line form is ``text``.

        Raises:
            TapeFormatError: the text is damaged or from another version of the format.
        """
        fields = text.strip().split(",")
        if len(fields) < 6 or fields[0] != f"tape{VERSION}":
            raise TapeFormatError(f"not a tape of version {VERSION}: {text[:40]!r}")
        versions: list[str] = []
        for field, prefix in zip(fields[3:6], ("python", "trio", "canary"), strict=True):
            if not field.startswith(prefix):
                raise TapeFormatError(f"expected {prefix}..., found {field[:40]!r}")
            versions.append(field.removeprefix(prefix))
        streams = dict(_parse_stream(field) for field in fields[6:])
        python, trio, canary = versions
        return cls(_policy(fields[1]), _timers(fields[2]), python, trio, canary, streams)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file form (JSON, with labels and bounds) to ``path``."""
        body = {
            name: {
                "values": list(s.values),
                "bounds": None if s.bounds is None else list(s.bounds),
                "labels": None if s.labels is None else list(s.labels),
                "check": s.check,
            }
            for name, s in self.streams.items()
        }
        head = attrs.asdict(self, filter=lambda a, _: a.name != "streams", recurse=False)
        text = json.dumps({"tape": VERSION, **head, "streams": body}, indent=1)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tape:
        """Read a tape from ``path``, in its file form or its one-line form.

        Raises:
            TapeFormatError: the file is damaged or from another version of the format.
            OSError: the file cannot be read.
        """
        text = Path(path).read_text(encoding="utf-8")
        if not text.lstrip().startswith("{"):
            return cls.from_text(text)
        try:
            data: dict[str, Any] = json.loads(text)
            if data["tape"] != VERSION:
                raise TapeFormatError(f"{path}: tape version {data['tape']}, expected {VERSION}")
            streams = {name: _stream_of_json(name, item) for name, item in data["streams"].items()}
            python, trio, canary = (str(data[key]) for key in ("python", "trio", "canary"))
            policy, timers = _policy(data["policy"]), _timers(data["timers"])
            return cls(policy, timers, python, trio, canary, streams)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise TapeFormatError(f"{path}: damaged tape: {error!r}") from error


def _policy(text: str) -> str:
    if text not in ("any", "batch"):
        raise TapeFormatError(f"unknown policy {text!r}")
    return text


def _timers(text: str) -> str:
    if text not in ("idle", "choice"):
        raise TapeFormatError(f"unknown timers {text!r}")
    return text


def _pack(values: Sequence[int]) -> str:
    """Return values as dot-separated numbers; ``z12`` is twelve zeros, zeros at the end vanish."""
    words: list[str] = []
    zeros = 0
    for value in values:
        if value == 0:
            zeros += 1
            continue
        if zeros:
            words.append("0" if zeros == 1 else f"z{zeros}")
            zeros = 0
        words.append(str(value))
    return ".".join(words)


def _unpack(text: str, length: int) -> tuple[int, ...]:
    values: list[int] = []
    for word in text.split(".") if text else ():
        if word.startswith("z"):
            zeros = _number(word[1:])
            if len(values) + zeros > length:
                raise TapeFormatError("more draws than announced")
            values.extend([0] * zeros)
        else:
            values.append(_number(word))
    if len(values) > length:
        raise TapeFormatError("more draws than announced")
    return (*values, *([0] * (length - len(values))))


def _number(text: str) -> int:
    # isdecimal() alone would let other scripts' digits through; the length keeps int() cheap.
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise TapeFormatError(f"expected a number, found {text[:20]!r}")
    return int(text)


def _parse_stream(field: str) -> tuple[str, Stream]:
    name, equals, rest = field.partition("=")
    parts = rest.split("/")
    if not equals or len(parts) != 3 or not _STREAM_NAME.match(name):
        raise TapeFormatError(f"damaged stream {field[:40]!r}")
    length = _number(parts[0])
    if length > MAX_DRAWS:
        raise TapeFormatError(f"{name}: {length} draws are more than {MAX_DRAWS}")
    return name, Stream(_unpack(parts[2], length), None, None, parts[1])


def _stream_of_json(name: str, item: Mapping[str, Any]) -> Stream:
    values = tuple(int(v) for v in item["values"])
    if item["bounds"] is None or item["labels"] is None:
        return Stream(values, None, None, str(item["check"]))
    stream = Stream.of_columns(
        values, tuple(int(b) for b in item["bounds"]), tuple(str(x) for x in item["labels"])
    )
    if stream.check != item["check"]:
        raise TapeFormatError(f"{name}: the draws do not match their check")
    return stream
