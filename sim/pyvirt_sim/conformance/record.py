"""Records from a real QEMU what it says about itself: ``python -m pyvirt_sim.conformance.record``.

Writes ``sim/pyvirt_sim/qemu/schema-7.2.json``. Introspection hides the width of integers and the
names of alternates, but error messages tell them: for each member that a command takes, a value of
the wrong type or width is sent, in a message that can only be refused, so that nothing is executed.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyvirt_sim.qemu

SCHEMA_FILE: Final = Path(pyvirt_sim.qemu.__file__).parent / "schema-7.2.json"
_EXPECTS: Final = re.compile(r"Parameter '[^']*' expects (u?int\d+(?:_t)?)")
_EXPECTED: Final = re.compile(r"Invalid parameter type for '[^']*', expected: (\w+)")
# Beyond each width in turn; the last fits none but 64 bits, and no unsigned one.
_TOO_WIDE: Final = (1 << 8, 1 << 16, 1 << 32)
_SPOILER: Final = "no-such-member"

Send = Callable[[Mapping[str, Any]], dict[str, Any]]


@contextmanager
def bare_qemu() -> Generator[Send]:
    """A QEMU without a machine: a function that sends a message and returns the answer."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/monitor")
        listener.listen(1)
        fd = listener.fileno()
        command = ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none"]
        command += ["-chardev", f"socket,id=monitor,fd={fd},server=on,wait=off"]
        command += ["-mon", "chardev=monitor,mode=control"]
        with (
            subprocess.Popen(command, pass_fds=(fd,)) as process,
            socket.socket(socket.AF_UNIX) as client,
            client.makefile("rb") as replies,
        ):
            try:
                client.connect(f"{folder}/monitor")
                replies.readline()

                def send(message: Mapping[str, Any]) -> dict[str, Any]:
                    client.sendall(json.dumps(message).encode())
                    while "event" in (answer := json.loads(replies.readline())):
                        pass
                    return dict(answer)

                send({"execute": "qmp_capabilities"})
                yield send
            finally:
                process.kill()


def record_schema(send: Send) -> dict[str, Any]:
    """The schema of a running QEMU, in our compact form."""
    entities = send({"execute": "query-qmp-schema"})["return"]
    schema: dict[str, Any] = {"commands": {}, "events": {}, "types": {}}
    for entity in entities:
        name = entity["name"]
        match entity["meta-type"]:
            case "command":
                schema["commands"][name] = {
                    "arguments": entity["arg-type"],
                    "reply": entity["ret-type"],
                } | ({"oob": True} if entity.get("allow-oob") else {})
            case "event":
                schema["events"][name] = entity["arg-type"]
            case "object":
                schema["types"][name] = _object(entity)
            case "enum":
                schema["types"][name] = {"enum": entity["values"]}
            case "alternate":
                types = [member["type"] for member in entity["members"]]
                schema["types"][name] = {"alternate": types}
            case _:  # built-in types and arrays speak for themselves
                pass
    _Prober(send, schema).run()
    return schema


def _object(entity: Mapping[str, Any]) -> dict[str, Any]:
    members = {
        member["name"] + ("?" if "default" in member else ""): member["type"]
        for member in entity["members"]
    }
    result: dict[str, Any] = {"members": members}
    if "tag" in entity:
        result["tag"] = entity["tag"]
        result["variants"] = {item["case"]: item["type"] for item in entity["variants"]}
    return result


class _Prober:
    """Finds out by questions what introspection does not tell, once per type."""

    def __init__(self, send: Send, schema: dict[str, Any]) -> None:
        self._send = send
        self._types: dict[str, Any] = schema["types"]
        self._commands: dict[str, Any] = schema["commands"]
        self._seen: set[str] = set()
        self._command = ""

    def run(self) -> None:
        for name, command in self._commands.items():
            if name not in ("device_add", "qmp_capabilities"):
                self._command = name
                self._object(command["arguments"], lambda inner: inner)

    def _ask(self, arguments: Mapping[str, Any]) -> str:
        message = {"execute": self._command, "arguments": {**arguments, _SPOILER: 0}}
        answer = self._send(message)
        return str(answer["error"]["desc"])

    def _object(self, kind: str, wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Probe the members of an object; ``wrap`` builds the arguments around one."""
        if kind in self._seen:
            return
        self._seen.add(kind)
        data = self._types[kind]
        for case, branch in data.get("variants", {}).items():
            tagged = {data["tag"]: case}

            def around(inner: dict[str, Any], tagged: dict[str, Any] = tagged) -> dict[str, Any]:
                return wrap({**self._filled(kind, skip=inner), **tagged, **inner})

            self._object(branch, around)
        for name in list(data["members"]):
            data["members"][name] = self._member(kind, name.removesuffix("?"), data, wrap)

    def _member(
        self,
        kind: str,
        name: str,
        data: Mapping[str, Any],
        wrap: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> str:
        found: str = data["members"].get(name) or data["members"][f"{name}?"]

        def around(value: object) -> dict[str, Any]:
            return wrap({**self._filled(kind, skip={name: 0}), name: value})

        return self._probe(found, around)

    def _probe(self, kind: str, around: Callable[[Any], dict[str, Any]]) -> str:
        """Probe one type where ``around`` puts a value. Returns the type as it is recorded."""
        if kind.startswith("["):
            return f"[{self._probe(kind[1:-1], lambda value: around([value]))}]"
        if kind == "int":
            return self._integer(around)
        data = self._types.get(kind, {})
        if "alternate" in data and kind not in self._seen:
            self._seen.add(kind)
            found = _EXPECTED.search(self._ask(around(1.5)))
            if found is not None:
                data["name"] = found[1]
            for index, branch in enumerate(data["alternate"]):
                data["alternate"][index] = self._probe(branch, around)
        elif "members" in data:
            self._object(kind, around)
        return kind

    def _integer(self, around: Callable[[Any], dict[str, Any]]) -> str:
        if _EXPECTS.search(text := self._ask(around("x"))) is None and "integer" not in text:
            raise SystemExit(f"{self._command}: cannot tell the width of an integer: {text}")
        is_unsigned = "uint64" in text
        for value in _TOO_WIDE:
            found = _EXPECTS.search(self._ask(around(value)))
            if found is not None:
                return found[1]
        return "uint64" if is_unsigned else "int"

    def _filled(self, kind: str, skip: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        """Acceptable values for the required members of an object, but those of ``skip``."""
        data = self._types[kind]
        result = {
            name: self._sample(found, depth)
            for name, found in data["members"].items()
            if not name.endswith("?") and name not in skip
        }
        branch = data.get("variants", {}).get(result.get(data.get("tag")))
        return result | (self._filled(branch, skip, depth) if branch is not None else {})

    def _sample(self, kind: str, depth: int) -> Any:
        simple = {"str": "x", "bool": True, "number": 1, "null": None, "any": 0}
        if kind in simple:
            return simple[kind]
        if kind.startswith("["):
            return []
        if kind not in self._types:  # an integer of some width
            return 1
        data = self._types[kind]
        if "enum" in data:
            return data["enum"][0]
        if "alternate" in data:
            return self._sample(data["alternate"][-1 if depth > 3 else 0], depth + 1)
        return self._filled(kind, {}, depth + 1)


def as_text(schema: Mapping[str, Any]) -> str:
    """The committed form: one line per command, event and type."""
    parts: list[str] = []
    for section, entries in schema.items():
        lines = ",\n".join(
            f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()
        )
        parts.append(f'"{section}": {{\n{lines}\n}}')
    return "{" + ",\n".join(parts) + "}\n"


def main() -> int:
    """Write the recording."""
    with bare_qemu() as send:
        SCHEMA_FILE.write_text(as_text(record_schema(send)), encoding="utf-8")
    sys.stderr.write(f"recorded {SCHEMA_FILE.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
