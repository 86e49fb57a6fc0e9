"""A trace: what was seen of a system, in order, and the checkers that read along.

A trace is a sequence of numbered *entries*: an event delivered to an observer, a call begun or
ended, an answer to a question, something that somebody did. Where it comes from does not matter:
a simulated run and an observer of a real QEMU fill a `Trace` as things happen, a log of a real
libvirt is parsed into entries afterwards (`pyvirt_sim.checkers.logs`).

A *checker* reads the entries one by one and says which of them break its promise. Those of the
language are made of patterns, keys and predicates::

    precedes("started-after-stopped", PROMISE, delivered("DomainStopped"), ...)

and are as good on a recorded log as in the step in which the entry is made: `Trace` raises at once,
`violations` collects.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import attrs
import trio

from pyvirt_sim.checkers.promise import Observation, PromiseBrokenError, require


class Kind(enum.StrEnum):
    """What an entry tells of."""

    DELIVERED = "receives"
    """An event reached an observer."""
    BEGUN = "calls"
    """Somebody has called something."""
    ENDED = "is answered"
    """That call is over; ``data["outcome"]`` is ``ok`` or the name of an error."""
    SEEN = "sees"
    """An answer to a question: ``data["answer"]``; asked at a delivery (``data["at"]``) or when
    nothing was under way."""
    DID = "does"
    """Somebody did something that others may rely on."""
    HOLDS = "holds"
    FREES = "frees"
    WAITS = "waits for"


@attrs.frozen(kw_only=True)
class Entry:
    """One thing seen.

    Args:
        number: 1, 2, 3, ... in the trace.
        time_s: Virtual time, or the log's time stamp in seconds.
        actor: Who received, called, asked or did it.
        kind: What kind of thing it is.
        name: The event, the call, the question, the deed, the thing held.
        subject: The domain it is about; may be empty.
        data: Details.
    """

    number: int
    time_s: float
    actor: str
    kind: Kind
    name: str
    subject: str = ""
    data: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    def get(self, field: str) -> Any:
        """A detail, or ``actor``, ``name``, ``subject``; ``None`` when there is none."""
        if field in ("actor", "name", "subject", "time_s", "number"):
            return getattr(self, field)
        return self.data.get(field)

    def __str__(self) -> str:
        details = [str(value) for key, value in self.data.items() if key not in _HIDDEN]
        inside = ", ".join([self.subject, *details] if self.subject else details)
        place = f" at {self.data['line']}" if "line" in self.data else ""
        return f"{self.actor} {self.kind.value} {self.name}({inside}){place}"


_HIDDEN = frozenset({"uuid", "call", "at", "sequence", "line"})

Pattern: TypeAlias = Callable[[Entry], bool]
Key: TypeAlias = Callable[[Entry], Hashable]


def on(kind: Kind, *names: str, **where: object) -> Pattern:
    """Entries of one kind with one of ``names`` (any when none is given) and these details."""

    def matches(entry: Entry) -> bool:
        return (
            entry.kind is kind
            and (not names or entry.name in names)
            and all(entry.get(field) == value for field, value in where.items())
        )

    return matches


def delivered(*names: str, **where: object) -> Pattern:
    """Deliveries of these events."""
    return on(Kind.DELIVERED, *names, **where)


def begun(*names: str, **where: object) -> Pattern:
    """Beginnings of these calls."""
    return on(Kind.BEGUN, *names, **where)


def ended(*names: str, **where: object) -> Pattern:
    """Ends of these calls."""
    return on(Kind.ENDED, *names, **where)


def seen(*names: str, **where: object) -> Pattern:
    """Answers to these questions."""
    return on(Kind.SEEN, *names, **where)


def did(*names: str, **where: object) -> Pattern:
    """These deeds."""
    return on(Kind.DID, *names, **where)


def by(*fields: str) -> Key:
    """What makes two entries belong together: the same values of ``fields``."""
    return lambda entry: tuple(entry.get(field) for field in fields)


class Checker(abc.ABC):
    """Reads one trace and says where its promise is broken; a new one for each trace.

    Args:
        name: Its name, as mutants and reports call it.
        promise: What must hold, one sentence.
    """

    def __init__(self, name: str, promise: str) -> None:
        self.name = name
        self.promise = promise

    @abc.abstractmethod
    def on(self, entry: Entry) -> Iterable[Observation]:
        """The next entry: what was asked of it, and the answers."""

    def at_end(self) -> Iterable[Observation]:
        """Nothing more will come, and nothing is under way."""
        return ()


class Trace:
    """A trace that is being made; a broken promise is raised where it is seen.

    Args:
        checkers: Who reads along.
        clock: The time of an entry, in seconds.
    """

    def __init__(
        self, checkers: Iterable[Checker] = (), clock: Callable[[], float] = trio.current_time
    ) -> None:
        self.checkers = tuple(checkers)
        self.entries: list[Entry] = []
        self._clock = clock
        self._calls = 0

    def add(self, kind: Kind, actor: str, name: str, subject: str = "", **data: object) -> Entry:
        """Append an entry.

        Raises:
            PromiseBrokenError: It breaks the promise of a checker.
        """
        entry = Entry(
            number=len(self.entries) + 1,
            time_s=self._clock(),
            actor=actor,
            kind=kind,
            name=name,
            subject=subject,
            data=data,
        )
        self.entries.append(entry)
        for checker in self.checkers:
            require(checker.name, checker.promise, str(entry), checker.on(entry))
        return entry

    def delivered(self, actor: str, name: str, subject: str = "", **data: object) -> Entry:
        """An event has reached ``actor``, in this very step."""
        return self.add(Kind.DELIVERED, actor, name, subject, **data)

    def did(self, actor: str, name: str, subject: str = "", **data: object) -> Entry:
        """``actor`` has done something."""
        return self.add(Kind.DID, actor, name, subject, **data)

    def seen(
        self, actor: str, question: str, subject: str, answer: object, at: Entry | None = None
    ) -> Entry:
        """``actor`` has asked something.

        Args:
            actor: Who.
            question: Such as ``state``.
            subject: The domain it is about.
            answer: What the system said.
            at: The delivery at which it was asked; ``None`` when nothing is under way.
        """
        number = None if at is None else at.number
        return self.add(Kind.SEEN, actor, question, subject, answer=answer, at=number)

    @contextmanager
    def call(self, actor: str, name: str, subject: str = "", **data: object) -> Generator[None]:
        """A call, for the length of a block; an exception is its outcome, and passes."""
        self._calls += 1
        number = self._calls
        self.add(Kind.BEGUN, actor, name, subject, call=number, **data)
        outcome = "ok"
        try:
            yield
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self.add(Kind.ENDED, actor, name, subject, call=number, outcome=outcome, **data)

    def end(self) -> None:
        """All is quiet.

        Raises:
            PromiseBrokenError: Something that should have come has not.
        """
        for checker in self.checkers:
            require(checker.name, checker.promise, "all is quiet", checker.at_end())


def violations(
    entries: Sequence[Entry], checkers: Iterable[Checker], *, is_complete: bool = True
) -> list[PromiseBrokenError]:
    """Every promise that a recorded trace breaks.

    Args:
        entries: The trace.
        checkers: New ones.
        is_complete: Whether nothing was under way at its end; a log that was cut off proves
            nothing about what is missing there.
    """
    found: list[PromiseBrokenError] = []
    for checker in checkers:
        for entry in entries:
            _collect(found, checker, str(entry), checker.on(entry))
        if is_complete:
            _collect(found, checker, "the log ends", checker.at_end())
    return found


def _collect(
    found: list[PromiseBrokenError], checker: Checker, moment: str, made: Iterable[Observation]
) -> None:
    wrong = [one for one in made if not one.is_as_promised]
    if wrong:
        found.append(PromiseBrokenError(checker.name, checker.promise, moment, wrong))
