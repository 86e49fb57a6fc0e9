"""QEMU's own errors, with its classes and its words."""

from __future__ import annotations


class QmpError(Exception):
    """A command is answered with an error.

    Args:
        description: QEMU's sentence.
        error_class: ``GenericError``, ``CommandNotFound`` or ``DeviceNotFound``.
    """

    def __init__(self, description: str, error_class: str = "GenericError") -> None:
        super().__init__(description)
        self.description = description
        self.error_class = error_class


class StartupError(Exception):
    """QEMU prints this on standard error and exits with status 1."""


def device_not_found(name: str) -> QmpError:
    """The error for an id or path that names nothing."""
    return QmpError(f"Device '{name}' not found", "DeviceNotFound")


def missing(parameter: str) -> QmpError:
    """The error for a member that the schema requires."""
    return QmpError(f"Parameter '{parameter}' is missing")


def unexpected(parameter: str) -> QmpError:
    """The error for a member that the schema does not know."""
    return QmpError(f"Parameter '{parameter}' is unexpected")


def wrong_type(parameter: str, expected: str) -> QmpError:
    """The error for a member of another JSON type than the schema's."""
    return QmpError(f"Invalid parameter type for '{parameter}', expected: {expected}")


def not_accepted(parameter: str, value: object) -> QmpError:
    """The error for a string outside its enumeration."""
    return QmpError(f"Parameter '{parameter}' does not accept value '{value}'")


def bad_identifier() -> QmpError:
    """The error for an id that is not a letter followed by letters, digits, ``-``, ``.``, ``_``."""
    return QmpError("Parameter 'id' expects an identifier")
