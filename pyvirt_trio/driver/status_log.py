"""The live status of all domains on disk, and the events that told of it: one line for each commit.

What a new manager must know of running domains changes with every commit, together with the events
that tell of it, and both must be on disk before any observer hears of them: otherwise a manager
that dies in between has told of what its successor does not know, or will tell of it again. Files
of their own for states and for events cannot change at one moment. One line of one file does: a
commit appends what has changed of its domains and the records of its events, in one ``write`` into
the page cache, which takes about a microsecond and survives whatever ends this process. When the
machine itself goes down, its QEMUs go with it, and nothing here needs to have reached the disk.

``ROOT/run/status.N.log``: a header with the format and the boot, the status of every domain, the
latest records, and the word that it is complete; then one line for each commit, with all that is
known of the domains that it changed, so that a damaged line costs no more than itself. Only what
people note down about a domain, which may be often, is a line without the rest: an entry without a
name adds to the one before. When a file has grown long, the next one is begun with a fresh summary,
written with a rename; the highest complete number counts. The file before it is removed when the
new one and the directory are synced, which nobody waits for. A reader ignores keys that it does not
know. Files that it cannot read, or that have another format, are moved to ``ROOT/aside`` and
reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs

from pyvirt_trio.abc import AppendedFile, Host
from pyvirt_trio.driver.event_records import record_from_value, record_to_value
from pyvirt_trio.errors import HostError
from pyvirt_trio.models.events import Record
from pyvirt_trio.models.value import Value

if TYPE_CHECKING:
    from pyvirt_trio.driver.store import Store

FORMAT = 3
"""Raised when an older version could no longer make sense of the lines. New keys need no new
number. (1 and 2, of which there is no release, had one key for a machine and its devices.)"""

SUMMARY_RECORDS = 1024
"""Records that a new file begins with, for observers that were behind when a manager ended."""

LEAST_GROWTH_CHARACTERS = 1 << 20
"""How much may follow a summary, or twice its own length if that is more; so writing summaries
never costs more than half of all writing."""

NOTED = frozenset({"notes", "persistent", "plugging", "leaving"})
"""Keys that change alone: what people note down about a domain, the digest of its file, and which
devices come and go, which is written before QEMU is told."""

MAX_UNWRITTEN_LINES = 1024
"""How many lines that a full disk did not take are kept for it; then only a new file will do."""

Entry: TypeAlias = dict[str, Any]
"""What is kept of one domain, or what of it has changed, as JSON; see `status`."""

_NAME = re.compile(r"status\.([0-9]{1,18})\.log")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Remembered(Value):
    """What an earlier manager has left.

    Args:
        is_this_boot: Whether the machine has been up ever since.
        journal: Identity of its journal; ``None`` when nothing is known of one, or not all of it.
        records: Its latest records, whose numbers follow on each other.
        sequence: Number of the latest one, also when it is not among them.
        last_id: The highest id that a domain had.
        domains: What is kept of each domain, by UUID.
    """

    is_this_boot: bool = True
    journal: str | None = None
    records: tuple[Record, ...] = ()
    sequence: int = 0
    last_id: int = 0
    domains: Mapping[str, Entry] = attrs.field(factory=dict[str, Entry])


class StatusLog:
    """The status files of one root, which its lock protects.

    Args:
        host: The machine.
        store: Knows the root, and puts damaged files aside.
    """

    def __init__(self, host: Host, store: Store) -> None:
        self._host = host
        self._store = store
        self._number = 0
        self._old: list[str] = []
        self._used = ""
        self._damaged: dict[str, str] = {}
        self._file: AppendedFile | None = None
        self._known: dict[str, Entry] = {}
        self._head: Entry = {}
        self._room = 0
        self._since: list[str] | None = None
        self._unwritten: list[str] = []
        self._has_torn = False

    # -- reading ----------------------------------------------------------------------------------

    async def load(self) -> Remembered:
        """What the latest complete file says; `begin` puts those that cannot be read aside.

        Raises:
            HostError: The directory cannot be read.
        """
        boot = (await self._host.read_text("/proc/sys/kernel/random/boot_id")).strip()
        found: Remembered | None = None
        for name in await self._names():
            self._number = max(self._number, _number(name))
            text = await self._store.read(f"run/{name}")
            reading = _Reading(text or "")
            if text is None or reading.is_strange:
                self._damaged[name] = reading.complaint or "it is not text"
            elif found is None and reading.is_complete:
                found, self._used = reading.remembered(boot), name
                if reading.complaint is not None:
                    self._damaged[name] = reading.complaint
                else:
                    self._old.append(name)
            else:  # an older one, or one that was never finished: the other has all it has
                self._old.append(name)
        self._head = {"boot": boot}
        if found is not None:
            self._known = dict(found.domains)
        return found or Remembered()

    async def _names(self) -> list[str]:
        names = [name for name in await self._store.run_files() if _NAME.fullmatch(name)]
        return sorted(names, key=_number, reverse=True)

    # -- writing ----------------------------------------------------------------------------------

    async def begin(
        self, journal: str, last_id: Callable[[], int], recent: Callable[[int], Sequence[Record]]
    ) -> None:
        """Write into the next file from here on; `settle` removes the earlier ones.

        Commits that are made meanwhile are in both files.

        Args:
            journal: Identity of the journal.
            last_id: Gives the highest id that a domain has had.
            recent: Gives the latest records of the journal, so many at most.

        Raises:
            HostError: The file cannot be written; the earlier one is still used.
        """
        self._head |= {"format": FORMAT, "journal": journal}
        name = f"status.{self._number + 1}.log"
        self._since = []
        try:
            summary = "".join(map(_line, self._summary(last_id(), recent(SUMMARY_RECORDS))))
            await self._store.write(f"run/{name}", summary)
            file = await self._store.append_to(f"run/{name}")
        except BaseException:
            self._since = None
            raise
        # From here to the end nothing waits: no commit can come in between.
        self._switch(file, name, len(summary))
        for damaged in list(self._damaged):
            await self._store.put_aside(f"run/{damaged}", self._damaged.pop(damaged))

    async def settle(self) -> None:
        """Make the last file durable, and remove all others. Nothing needs to wait for it.

        Raises:
            HostError: It cannot be made so, or one cannot be removed.
        """
        await self._store.sync(f"run/{self._old[-1]}")
        while len(self._old) > 1:
            await self._store.remove_file(f"run/{self._old.pop(0)}")

    def _switch(self, file: AppendedFile, name: str, length: int) -> None:
        since, self._since = self._since or [], None
        try:
            file.append("".join(since) + _line({"complete": True}))
        except OSError as error:
            file.close()
            raise HostError(f"cannot write {name}: {error.strerror}") from error
        if self._file is not None:
            self._file.close()
        self._file, self._number = file, _number(name)
        self._old.append(name)
        self._has_torn = False
        self._unwritten.clear()
        self._room = max(LEAST_GROWTH_CHARACTERS, 2 * length)

    def _summary(self, last_id: int, records: Sequence[Record]) -> list[Entry]:
        head = self._head | {"last_id": last_id}
        if records:
            head["sequence"] = records[-1].sequence
        lines: list[Entry] = [head, {"domains": self._known}]
        lines += [{"records": [record_to_value(record)]} for record in records]
        return lines

    def write(self, domains: Mapping[str, Entry | None], records: Sequence[Record]) -> None:
        """Add one commit: what has changed of its domains (``None``: all is gone), and its events.

        Raises:
            OSError: It could not be written. The next call writes this one's line as well.
        """
        value: Entry = {}
        changed = {key: self._changed(key, change) for key, change in domains.items()}
        if told := {key: entry for key, entry in changed.items() if entry != {}}:
            value["domains"] = told
        if records:
            value["records"] = [record_to_value(record) for record in records]
        if value:
            line = _line(value)
            if self._since is not None:
                self._since.append(line)
            self._append(line)

    def _changed(self, key: str, change: Entry | None) -> Entry | None:
        """Know what a domain has become; what is to be written of it, which may be nothing."""
        if change is None:
            return None if self._known.pop(key, None) is not None else {}
        known = self._known.get(key, {})
        changed = {name: value for name, value in change.items() if known.get(name) != value}
        if not changed:
            return {}
        self._known[key] = now = _with(known, changed)
        return changed if changed.keys() <= NOTED and known else now

    def _append(self, line: str) -> None:
        if self._file is None:
            return
        self._unwritten.append(line)
        text = "".join(self._unwritten)
        try:
            self._file.append("\n" + text if self._has_torn else text)
        except OSError:
            self._has_torn = True
            if len(self._unwritten) > MAX_UNWRITTEN_LINES:  # a summary has what they say
                self._room = 0
                del self._unwritten[:-MAX_UNWRITTEN_LINES]
            raise
        self._has_torn = False
        self._unwritten.clear()
        self._room -= len(text)

    @property
    def is_long(self) -> bool:
        """Whether it is time for `begin`."""
        return self._room <= 0

    def forget(self, key: str, why: str) -> None:
        """Know nothing of a domain, after `load`; the file it is in is put aside."""
        del self._known[key]
        if self._used in self._old:
            self._old.remove(self._used)
        self._damaged[self._used] = why

    def close(self) -> None:
        """Write nothing any more."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _number(name: str) -> int:
    match = _NAME.fullmatch(name)
    assert match is not None, "only such names are looked at"
    return int(match[1])


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _line(value: Entry) -> str:
    return _encode(value) + "\n"


def _with(entry: Entry, change: Entry) -> Entry:
    return {name: value for name, value in (entry | change).items() if value is not None}


class _Reading:
    """One file, line by line.

    Attributes:
        complaint: What is wrong with it, ``None`` when nothing is.
        is_strange: Whether nothing can be made of it.
        is_complete: Whether it had replaced the one before it.
    """

    def __init__(self, text: str) -> None:
        self.complaint: str | None = None
        self.is_strange = False
        self.is_complete = False
        self._domains: dict[str, Entry] = {}
        self._records: list[Record] = []
        self._last_id = 0
        *lines, torn = text.split("\n")
        del torn  # what a process wrote when it ended, and told nobody of
        self._head = self._read(lines[0]) if lines else {}
        if self._head.get("format") != FORMAT:
            self.is_strange = True
            self.complaint = f"its format is {self._head.get('format')!r}, and {FORMAT} is known"
            return
        for line in lines[1:]:
            self._take(self._read(line))

    def remembered(self, boot: str) -> Remembered:
        """What it says."""
        records = self._latest()
        sequence = records[-1].sequence if records else int(self._head.get("sequence", 0))
        is_this_boot = self._head.get("boot") == boot
        # A journal that may have lost its end must not give its numbers out again.
        is_whole = is_this_boot and self.complaint is None
        return Remembered(
            is_this_boot=is_this_boot,
            journal=self._head.get("journal") if is_whole else None,
            records=tuple(records),
            sequence=sequence,
            last_id=max(int(self._head.get("last_id", 0)), self._last_id),
            domains=self._domains,
        )

    def _latest(self) -> list[Record]:
        """The records at the end whose numbers follow on each other."""
        first = len(self._records) - 1
        while first > 0 and self._records[first - 1].sequence + 1 == self._records[first].sequence:
            first -= 1
        return self._records[max(first, 0) :]

    def _read(self, line: str) -> Entry:
        try:
            value: Any = json.loads(line or "{}")
            if isinstance(value, dict):
                return cast("Entry", value)
        except ValueError:
            pass
        self.complaint = f"a line of it is damaged: {line!r:.80}"
        return {}

    def _take(self, value: Entry) -> None:
        self.is_complete = self.is_complete or value.get("complete") is True
        try:
            for key, change in value.get("domains", {}).items():
                self._learn(key, change)
            self._records += [record_from_value(one) for one in value.get("records", [])]
        except (ValueError, TypeError, AttributeError) as error:
            self.complaint = f"a line of it is damaged: {error}"

    def _learn(self, key: str, entry: Entry | None) -> None:
        if entry is None:
            self._domains.pop(key, None)
        elif "name" in entry:
            self._domains[key] = entry
            self._last_id = max(self._last_id, int(entry.get("id") or 0))
        else:
            self._domains[key] = _with(self._domains.get(key, {}), entry)
