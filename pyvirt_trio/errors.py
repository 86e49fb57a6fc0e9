"""Every exception that pyvirt_trio raises on purpose.

::

    PyvirtError
    ├── DefinitionError            your description is wrong
    │   └── ArgumentError          an argument is none that the call takes
    ├── InvalidStateError          not in this state, or not now
    ├── NotFoundError              no such domain, device or node device
    ├── ConflictError
    │   ├── AlreadyExistsError     the name, UUID or alias is taken
    │   ├── JobActiveError         another call is changing the domain
    │   └── DeviceInUseError       a host device belongs to a domain
    ├── MonitorError
    │   ├── CommandFailedError     QEMU answered with an error
    │   ├── RemoteProtocolError    the peer does not speak QMP
    │   └── MonitorClosedError     the connection is gone; nothing was sent
    ├── OutcomeUnknownError        sent, and the answer can no longer arrive
    ├── GuestError
    │   ├── UnplugRefusedError     the guest keeps the device
    │   ├── AgentUnavailableError  the guest's agent does not answer
    │   └── AgentCommandError      the guest's agent refused
    ├── HostError                  sysfs, files or a process of the host failed
    └── ResyncRequiredError        your event cursor is older than the journal

Each carries the numeric ``code`` and ``domain`` that libvirt uses for the same situation
(``virErrorNumber`` and ``virErrorDomain``), so that a client written for libvirt recognises it.
Each docstring says whose fault it is, whether trying again makes sense, and what state is left.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class ErrorCode(enum.IntEnum):
    """libvirt's ``virErrorNumber``, as far as this library raises it."""

    INTERNAL_ERROR = 1
    INVALID_ARG = 8
    OPERATION_FAILED = 9
    XML_ERROR = 27
    XML_DETAIL = 35
    SYSTEM_ERROR = 38
    NO_DOMAIN = 42
    NO_NODE_DEVICE = 53
    OPERATION_INVALID = 55
    CONFIG_UNSUPPORTED = 67
    OPERATION_TIMEOUT = 68
    ARGUMENT_UNSUPPORTED = 74
    NO_DOMAIN_METADATA = 80
    OPERATION_UNSUPPORTED = 84
    AGENT_UNRESPONSIVE = 86
    DEVICE_MISSING = 99

    @property
    def heading(self) -> str:
        """What libvirt puts before every text of this number (``virErrorMsg``)."""
        return _HEADINGS.get(self, "")


_HEADINGS = {
    ErrorCode.INTERNAL_ERROR: "internal error: ",
    ErrorCode.INVALID_ARG: "invalid argument: ",
    ErrorCode.OPERATION_FAILED: "operation failed: ",
    ErrorCode.XML_ERROR: "XML error: ",
    ErrorCode.NO_DOMAIN: "Domain not found: ",
    ErrorCode.NO_NODE_DEVICE: "Node device not found: ",
    ErrorCode.OPERATION_INVALID: "Requested operation is not valid: ",
    ErrorCode.CONFIG_UNSUPPORTED: "unsupported configuration: ",
    ErrorCode.OPERATION_TIMEOUT: "Timed out during operation: ",
    ErrorCode.ARGUMENT_UNSUPPORTED: "argument unsupported: ",
    ErrorCode.OPERATION_UNSUPPORTED: "Operation not supported: ",
    ErrorCode.AGENT_UNRESPONSIVE: "Guest agent is not responding: ",
    ErrorCode.DEVICE_MISSING: "device not found: ",
}


class ErrorDomain(enum.IntEnum):
    """libvirt's ``virErrorDomain``: the part of the system that complains."""

    NONE = 0
    QEMU = 10
    DOMAIN = 20
    NODEDEV = 23


class PyvirtError(Exception):
    """Root of all errors this library raises on purpose.

    Args:
        message: One sentence for a person, naming the object and what was seen.
        code: libvirt's error number, when it differs from the one of the class.
    """

    code: ErrorCode = ErrorCode.INTERNAL_ERROR
    domain: ClassVar[ErrorDomain] = ErrorDomain.QEMU

    def __init__(self, message: str, *, code: ErrorCode | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def libvirt_text(self) -> str:
        """The sentence that a libvirt client is used to, headed as libvirt heads its errors."""
        return self.code.heading + self._own_text.removeprefix(self.code.heading)

    @property
    def _own_text(self) -> str:
        return str(self)


class DefinitionError(PyvirtError):
    """Your XML is malformed, incomplete, or asks for something that does not exist.

    Nothing was changed. Trying again with the same text fails in the same way.

    Args:
        message: What is wrong and what is allowed.
        path: Where in the document, as an XPath such as ``/domain/devices/hostdev[2]/source``.
        code: libvirt's error number, when it is not ``XML_ERROR``.
    """

    code = ErrorCode.XML_ERROR
    domain = ErrorDomain.DOMAIN

    def __init__(self, message: str, *, path: str = "", code: ErrorCode | None = None) -> None:
        super().__init__(f"{path}: {message}" if path else message, code=code)
        self.path = path

    @property
    def _own_text(self) -> str:
        return str(self).removeprefix(f"{self.path}: ")  # libvirt does not say where


class ArgumentError(DefinitionError):
    """An argument is none that the call takes; libvirt's own library says so before a driver does.

    Nothing was changed. Trying again with the same argument fails in the same way.
    """

    code = ErrorCode.INVALID_ARG

    @property
    def libvirt_text(self) -> str:
        """libvirt puts no heading before it (``virReportInvalidArg``)."""
        return self._own_text


class InvalidStateError(PyvirtError):
    """The object exists but is in a state that does not allow this call.

    You called at the wrong time. Nothing was changed; try again when the state has changed.
    """

    code = ErrorCode.OPERATION_INVALID


class NotFoundError(PyvirtError):
    """No domain, device or node device answers to that name. Nothing was changed."""

    code = ErrorCode.NO_DOMAIN


class ConflictError(PyvirtError):
    """Somebody else holds what you asked for. Nothing was changed; wait for them, or ask them."""

    code = ErrorCode.OPERATION_FAILED


class AlreadyExistsError(ConflictError):
    """The name, UUID or alias is taken by another object. Nothing was changed."""


class JobActiveError(ConflictError):
    """Another call was changing the domain, for longer than you were willing to wait.

    Nothing was changed. Try again when that call has ended, or end it.

    Args:
        message: libvirt's sentence, with the holder and its age.
        holder: The call that holds the job, such as ``attach-device``; empty when none does.
        age_s: How long it has held it, in seconds.
        code: libvirt's error number: 68, or 9 when too many calls were waiting.
    """

    code = ErrorCode.OPERATION_TIMEOUT

    def __init__(
        self,
        message: str,
        *,
        holder: str = "",
        age_s: float = 0.0,
        code: ErrorCode | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.holder = holder
        self.age_s = age_s


class DeviceInUseError(ConflictError):
    """A host device is assigned to a domain, which the message names.

    Nothing was changed. Detach the device from that domain, wait for ``DeviceRemoved``, try again.
    """

    code = ErrorCode.OPERATION_INVALID


class MonitorError(PyvirtError):
    """Something went wrong between this library and a QEMU monitor."""

    code = ErrorCode.INTERNAL_ERROR


class CommandFailedError(MonitorError):
    """QEMU refused a command. Its state is as before, unless its text says otherwise.

    Args:
        command: The QMP command, for example ``device_add``.
        error_class: QEMU's class, ``GenericError`` or ``DeviceNotFound`` and the like.
        description: QEMU's sentence for people; its wording is not stable between versions.
    """

    def __init__(self, command: str, error_class: str, description: str) -> None:
        super().__init__(f"QEMU refused {command}: {description} ({error_class})")
        self.command = command
        self.error_class = error_class
        self.description = description

    @property
    def _own_text(self) -> str:
        return f"unable to execute QEMU command '{self.command}': {self.description}"


class RemoteProtocolError(MonitorError):
    """The peer sent something that is not QMP. The session is over; its state is unknown."""


class MonitorClosedError(MonitorError):
    """The monitor connection has ended, and the command was not sent. QEMU has usually exited."""

    code = ErrorCode.SYSTEM_ERROR


class OutcomeUnknownError(PyvirtError):
    """A command was sent, and its answer can no longer arrive.

    Nobody's fault; it may or may not have taken effect. Do not repeat it blindly: ask first.

    Args:
        message: What was sent and why the answer is lost.
        settled_by: The query that tells what happened, for example ``Domain.state``.
    """

    code = ErrorCode.SYSTEM_ERROR

    def __init__(self, message: str, *, settled_by: str) -> None:
        super().__init__(f"{message}; {settled_by} tells what happened")
        self.settled_by = settled_by


class GuestError(PyvirtError):
    """The guest operating system did not do what it was asked to do."""

    code = ErrorCode.OPERATION_FAILED


class UnplugRefusedError(GuestError):
    """The guest rejected the removal of a device. The device stays; asking again may succeed."""


class AgentUnavailableError(GuestError):
    """The guest's agent does not answer: it is not configured, not running, stuck, or has died.

    The guest's side. Where the message says that it disappeared while executing a command, the
    command may have taken effect; otherwise the agent never got it. Trying again may succeed.
    """

    code = ErrorCode.AGENT_UNRESPONSIVE


class AgentCommandError(GuestError):
    """The guest's agent refused a command, or could not do it.

    Args:
        command: The agent's command, for example ``guest-exec``.
        error_class: The agent's class, ``GenericError`` or ``CommandNotFound`` and the like.
        description: The agent's sentence for people.
    """

    code = ErrorCode.INTERNAL_ERROR

    def __init__(self, command: str, error_class: str, description: str) -> None:
        super().__init__(f"unable to execute QEMU agent command '{command}': {description}")
        self.command = command
        self.error_class = error_class
        self.description = description


class HostError(PyvirtError):
    """The host's file system or a process of the host failed; ``__cause__`` is the ``OSError``.

    What was changed before the failure has been undone where the docstring of the call says so.
    """

    code = ErrorCode.SYSTEM_ERROR


class ResyncRequiredError(PyvirtError):
    """Events were dropped because this observer was slower than the journal is long.

    A subscription to a hypervisor has ended with this: take a new snapshot and subscribe again, in
    one call. The events of a `QmpSession` go on behind the gap.

    Args:
        missed: How many events this observer will never see.
        first: Number of the first of them, where events have numbers.
        last: Number of the last of them.
    """

    code = ErrorCode.OPERATION_FAILED

    def __init__(self, missed: int, *, first: int | None = None, last: int | None = None) -> None:
        named = "" if first is None else f" ({first} to {last})"
        super().__init__(f"{missed} events were dropped before this observer read them{named}")
        self.missed = missed
        self.first = first
        self.last = last

    @classmethod
    def gap(cls, first: int, last: int) -> ResyncRequiredError:
        """The events with these numbers, and those between them, are lost."""
        return cls(last - first + 1, first=first, last=last)
