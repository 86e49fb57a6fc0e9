"""The state directory: definitions, one file of libvirt XML per domain, and the rest of a root.

The layout follows libvirt's embedded driver: ``etc`` for definitions, ``run`` for what only matters
while somebody runs (see `status_log`), ``log`` for QEMU's own words. What is damaged, or from a
version that is not known here, is moved to ``aside`` and told of in `Store.problems`: it is never
removed, nor does it keep the rest from being used.
"""

from __future__ import annotations

import errno
import hashlib
import itertools

from pyvirt_trio.abc import AppendedFile, Host
from pyvirt_trio.driver.launch import LifePaths
from pyvirt_trio.errors import DefinitionError, HostError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.xml.domain import format_domain, parse_domain

MAX_NAME_BYTES = 200
"""A domain's name is also a file name with an ending, which Linux limits to 255 bytes."""


class Store:
    """The state directory of one hypervisor.

    Attributes:
        problems: What was found damaged or strange, and where it is now.
    """

    def __init__(self, host: Host, root: str) -> None:
        self._host = host
        self.root = root
        self.problems: list[str] = []
        self._digests: dict[str, str] = {}

    @property
    def lock_file(self) -> str:
        """Held while a hypervisor is open, so that no two manage one root."""
        return f"{self.root}/run/hypervisor.lock"

    async def prepare(self) -> None:
        """Create the directories.

        Raises:
            HostError: They cannot be created.
        """
        try:
            for part in ("etc", "run", "log", "aside"):
                await self._host.make_directory(f"{self.root}/{part}")
        except OSError as error:
            raise HostError(f"cannot use {self.root}: {error.strerror}") from error

    async def load(self) -> list[DomainDefinition]:
        """All persistent definitions, sorted by name; files that are none are put aside.

        Raises:
            HostError: A file cannot be read, or cannot be put aside.
        """
        names = [name for name in await self._names("etc") if name.endswith(".xml")]
        paths = [f"{self.root}/etc/{name}" for name in names]
        read = zip(names, paths, await self._host.read_texts(paths), strict=True)
        definitions: list[DomainDefinition] = []
        for name, path, text in read:
            try:
                definitions.append(self._defined(name, _text_of(path, text)))
            except DefinitionError as error:
                await self.put_aside(f"etc/{name}", str(error))
        return definitions

    def _defined(self, file: str, text: str | None) -> DomainDefinition:
        if text is None:
            raise DefinitionError("it is not text")
        definition = parse_domain(text, fresh_uuid=self._host.fresh_uuid)
        if definition.name != file.removesuffix(".xml"):
            raise DefinitionError(f"it is the definition of '{definition.name}'")
        self._digests[definition.name] = _digest(text)
        return definition

    async def save(self, definition: DomainDefinition) -> None:
        """Make ``definition`` survive a restart, replacing an older one of the same name.

        Raises:
            HostError: It could not be written; the older one is still there.
        """
        text = format_domain(definition)
        try:
            await self._host.replace_file(self._path(definition.name), text)
        except OSError as error:
            raise HostError(f"cannot save {definition.name}: {error.strerror}") from error
        self._digests[definition.name] = _digest(text)

    async def remove(self, name: str) -> None:
        """Forget the definition of ``name``.

        Raises:
            HostError: The file could not be removed.
        """
        try:
            await self._host.remove_file(self._path(name))
        except OSError as error:
            raise HostError(f"cannot remove {name}: {error.strerror}") from error
        self._digests.pop(name, None)

    def digest(self, name: str) -> str | None:
        """Tells the file with the definition of ``name`` from others; ``None`` without one."""
        return self._digests.get(name)

    # -- files below the root, named as they are there --------------------------------------------

    async def run_files(self) -> list[str]:
        """The names in ``run``, sorted.

        Raises:
            HostError: They cannot be listed.
        """
        return await self._names("run")

    async def read(self, path: str) -> str | None:
        """The text of a file, ``None`` when it is not text.

        Raises:
            HostError: It cannot be read.
        """
        path = f"{self.root}/{path}"
        [text] = await self._host.read_texts([path])
        return _text_of(path, text)

    async def write(self, path: str, text: str) -> None:
        """Make ``text`` the contents of a file, all at once; `sync` makes it durable.

        Raises:
            HostError: It could not be written; the old contents are still there.
        """
        try:
            await self._host.replace_file(f"{self.root}/{path}", text, durably=False)
        except OSError as error:
            raise _trouble("write", f"{self.root}/{path}", error) from error

    async def sync(self, path: str) -> None:
        """Make what is in a file by now durable.

        Raises:
            HostError: It is not.
        """
        try:
            await self._host.sync_file(f"{self.root}/{path}")
        except OSError as error:
            raise _trouble("sync", f"{self.root}/{path}", error) from error

    async def append_to(self, path: str) -> AppendedFile:
        """Open a file to add to it.

        Raises:
            HostError: It cannot be opened.
        """
        try:
            return await self._host.open_appended(f"{self.root}/{path}")
        except OSError as error:
            raise _trouble("open", f"{self.root}/{path}", error) from error

    async def remove_file(self, path: str) -> None:
        """Remove a file that may be there.

        Raises:
            HostError: It is there and cannot be removed.
        """
        try:
            await self._host.remove_file(f"{self.root}/{path}")
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _trouble("remove", f"{self.root}/{path}", error) from error

    async def put_aside(self, path: str, why: str) -> None:
        """Move a file to ``aside``, under a name that no file has there, and say so.

        Raises:
            HostError: It cannot be moved.
        """
        there = await self._names("aside")
        name = path.rpartition("/")[2]
        number = next(n for n in itertools.count(1) if f"{name}.{n}" not in there)
        new_path = f"{self.root}/aside/{name}.{number}"
        try:
            await self._host.move_file(f"{self.root}/{path}", new_path)
        except OSError as error:
            raise _trouble("move", f"{self.root}/{path}", error) from error
        self.problems.append(f"{self.root}/{path} was moved to {new_path}: {why}")

    async def _names(self, part: str) -> list[str]:
        try:
            return await self._host.list_directory(f"{self.root}/{part}")
        except OSError as error:
            raise _trouble("read", f"{self.root}/{part}", error) from error

    def life_paths(self, name: str) -> LifePaths:
        """Where the files of a running domain are."""
        return LifePaths(
            monitor=f"{self.root}/run/{name}.monitor", log=f"{self.root}/log/{name}.log"
        )

    def _path(self, name: str) -> str:
        return f"{self.root}/etc/{name}.xml"


def _text_of(path: str, read: str | OSError) -> str | None:
    if isinstance(read, str):
        return read
    if read.errno == errno.EILSEQ:
        return None
    raise _trouble("read", path, read) from read


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _trouble(doing: str, path: str, error: OSError) -> HostError:
    return HostError(f"cannot {doing} {path}: {error.strerror or error}")


def require_file_name(name: str) -> None:
    """Refuse a domain name that cannot be a file name.

    Raises:
        DefinitionError: It cannot.
    """
    if "/" in name:
        raise DefinitionError(f"name {name} cannot contain '/'", path="/domain/name")
    if name in ("", ".", "..") or len(name.encode()) > MAX_NAME_BYTES:
        raise DefinitionError(
            f"name {name!r} must not be empty or exceed {MAX_NAME_BYTES} bytes",
            path="/domain/name",
        )
