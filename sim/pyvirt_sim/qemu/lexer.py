"""QEMU's JSON lexer: bytes to tokens, with its idea of where a bad token ends.

QEMU reads a stream without framing: it neither needs nor heeds line ends, takes strings in single
quotes, and after a bad token skips to the next bracket, comma, colon or control character. The
table below is the automaton of ``qobject/json-lexer.c``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final

import attrs


class Kind(enum.Enum):
    """What a token is."""

    LEFT_CURLY = "{"
    RIGHT_CURLY = "}"
    LEFT_SQUARE = "["
    RIGHT_SQUARE = "]"
    COLON = ":"
    COMMA = ","
    INTEGER = "integer"
    FLOAT = "float"
    KEYWORD = "keyword"
    STRING = "string"
    ERROR = "error"


@attrs.frozen
class Token:
    """A token and its bytes, quotes of strings included."""

    kind: Kind
    text: bytes


class _State(enum.Enum):
    START = enum.auto()
    RECOVERY = enum.auto()
    DOUBLE = enum.auto()
    DOUBLE_ESCAPE = enum.auto()
    SINGLE = enum.auto()
    SINGLE_ESCAPE = enum.auto()
    SIGN = enum.auto()
    ZERO = enum.auto()
    DIGITS = enum.auto()
    MANTISSA = enum.auto()
    MANTISSA_DIGITS = enum.auto()
    EXPONENT = enum.auto()
    EXPONENT_SIGN = enum.auto()
    EXPONENT_DIGITS = enum.auto()
    KEYWORD = enum.auto()


@attrs.frozen
class _Step:
    """Where a byte leads, and whether it belongs to the token that is being read."""

    next: _State | Kind
    is_consumed: bool = True


_DIGIT: Final = b"0123456789"
_NONZERO: Final = b"123456789"
_LOWER: Final = b"abcdefghijklmnopqrstuvwxyz"
_PUNCTUATION: Final = b"{}[]:,"
# Bytes that UTF-8 never has end a string badly, and end the recovery from an error.
_TEXT: Final = bytes(range(0x20, 0xFE))
_ERROR: Final = _Step(Kind.ERROR)


def _row(*entries: tuple[bytes, _State | Kind], otherwise: _Step = _ERROR) -> list[_Step]:
    row = [otherwise] * 256
    for accepted, following in entries:
        for byte in accepted:
            row[byte] = _Step(following)
    return row


def _recovery() -> list[_Step]:
    row = _row((_TEXT, _State.RECOVERY), otherwise=_Step(_State.START, is_consumed=False))
    row[ord("\t")] = _Step(_State.RECOVERY)
    for byte in _PUNCTUATION:
        row[byte] = _Step(_State.START, is_consumed=False)
    return row


_ENDS_INTEGER: Final = _Step(Kind.INTEGER, is_consumed=False)
_ENDS_FLOAT: Final = _Step(Kind.FLOAT, is_consumed=False)
_TABLE: Final[Mapping[_State, list[_Step]]] = {
    _State.START: _row(
        (b'"', _State.DOUBLE),
        (b"'", _State.SINGLE),
        (b"-", _State.SIGN),
        (b"0", _State.ZERO),
        (_NONZERO, _State.DIGITS),
        (_LOWER, _State.KEYWORD),
        (b" \t\r\n", _State.START),
        *((bytes([byte]), Kind(chr(byte))) for byte in _PUNCTUATION),
    ),
    _State.RECOVERY: _recovery(),
    _State.DOUBLE: _row((_TEXT, _State.DOUBLE), (b"\\", _State.DOUBLE_ESCAPE), (b'"', Kind.STRING)),
    _State.DOUBLE_ESCAPE: _row((_TEXT, _State.DOUBLE)),
    _State.SINGLE: _row((_TEXT, _State.SINGLE), (b"\\", _State.SINGLE_ESCAPE), (b"'", Kind.STRING)),
    _State.SINGLE_ESCAPE: _row((_TEXT, _State.SINGLE)),
    _State.SIGN: _row((b"0", _State.ZERO), (_NONZERO, _State.DIGITS)),
    _State.ZERO: _row((_DIGIT, Kind.ERROR), (b".", _State.MANTISSA), otherwise=_ENDS_INTEGER),
    _State.DIGITS: _row(
        (_DIGIT, _State.DIGITS),
        (b".", _State.MANTISSA),
        (b"eE", _State.EXPONENT),
        otherwise=_ENDS_INTEGER,
    ),
    _State.MANTISSA: _row((_DIGIT, _State.MANTISSA_DIGITS)),
    _State.MANTISSA_DIGITS: _row(
        (_DIGIT, _State.MANTISSA_DIGITS), (b"eE", _State.EXPONENT), otherwise=_ENDS_FLOAT
    ),
    _State.EXPONENT: _row((_DIGIT, _State.EXPONENT_DIGITS), (b"+-", _State.EXPONENT_SIGN)),
    _State.EXPONENT_SIGN: _row((_DIGIT, _State.EXPONENT_DIGITS)),
    _State.EXPONENT_DIGITS: _row((_DIGIT, _State.EXPONENT_DIGITS), otherwise=_ENDS_FLOAT),
    _State.KEYWORD: _row(
        (_LOWER, _State.KEYWORD), otherwise=_Step(Kind.KEYWORD, is_consumed=False)
    ),
}


class Lexer:
    """Cuts a stream of bytes into tokens.

    Args:
        process: Receives each token as soon as it has ended.
    """

    def __init__(self, process: Callable[[Token], None]) -> None:
        self._process = process
        self._state = _State.START
        self._token = bytearray()

    @property
    def is_idle(self) -> bool:
        """Whether no token has begun and no error is being recovered from."""
        return self._state is _State.START

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        for byte in data:
            while not self._take(byte):
                pass

    def _take(self, byte: int) -> bool:
        """Take one step with a byte. Whether that used it up."""
        step = _TABLE[self._state][byte]
        if step.is_consumed:
            self._token.append(byte)
        following = step.next
        if isinstance(following, Kind):
            token = Token(following, bytes(self._token))
            self._state = _State.RECOVERY if following is Kind.ERROR else _State.START
            self._token.clear()
            self._process(token)
        else:
            if following in (_State.START, _State.RECOVERY):
                self._token.clear()
            self._state = following
        return step.is_consumed
