"""QEMU's reading of JSON: from the bytes of a client to messages and QEMU's parse errors.

A message ends when its brackets balance, or at once when they cannot; what is wrong with it is
told in QEMU's words (``qobject/json-streamer.c``, ``qobject/json-parser.c``). Well-formed messages
of well-behaved clients take a short cut through Python's own parser.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.lexer import Kind, Lexer, Token

# QEMU's limits on one message (MAX_TOKEN_SIZE, MAX_TOKEN_COUNT, MAX_NESTING).
MAX_SIZE_BYTES: Final = 64 << 20
MAX_TOKENS: Final = 2 << 20
MAX_NESTING: Final = 1 << 10

_ESCAPES: Final = {
    '"': '"', "'": "'", "\\": "\\", "/": "/",
    "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip
_KEYWORDS: Final = {b"true": True, b"false": False, b"null": None}
_SPACES: Final = frozenset(" \t\r\n")
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")


class JsonError(Exception):
    """What a client sent is not JSON; the text is QEMU's."""


class _NotPlainError(ValueError):
    """QEMU might see something else in this than Python does."""


@attrs.frozen
class Malformed:
    """In place of a message that cannot be read: QEMU's sentence about it."""

    description: str


class JsonStream:
    """Collects bytes and gives back each top-level value."""

    def __init__(self) -> None:
        self._lexer = Lexer(self._process)
        self._tokens: list[Token] = []
        self._size = 0
        self._curly = 0
        self._square = 0
        self._ready: list[Any] = []

    def feed(self, data: bytes) -> list[Any]:
        """Take more bytes.

        Returns:
            The top-level values that have ended, a `Malformed` for each that cannot be read.
        """
        if self._lexer.is_idle and not self._tokens:
            values, data = _read_plain(data)
            self._ready.extend(values)
        self._lexer.feed(data)
        ready, self._ready = self._ready, []
        return ready

    def _process(self, token: Token) -> None:
        self._curly += (token.kind is Kind.LEFT_CURLY) - (token.kind is Kind.RIGHT_CURLY)
        self._square += (token.kind is Kind.LEFT_SQUARE) - (token.kind is Kind.RIGHT_SQUARE)
        try:
            self._check(token)
            self._size += len(token.text)
            self._tokens.append(token)
            if min(self._curly, self._square) >= 0 and max(self._curly, self._square) > 0:
                return
            self._ready.append(_Parser(self._tokens).value())
        except RecursionError:
            raise ModelGapError("JSON nested this deep is not modelled") from None
        except JsonError as error:
            self._ready.append(Malformed(str(error)))
        self._tokens = []
        self._size = self._curly = self._square = 0

    def _check(self, token: Token) -> None:
        if token.kind is Kind.ERROR:
            raise JsonError(f"JSON parse error, stray '{_printed(token.text)}'")
        if self._size + len(token.text) + 1 > MAX_SIZE_BYTES:
            raise JsonError("JSON token size limit exceeded")
        if len(self._tokens) + 1 > MAX_TOKENS:
            raise JsonError("JSON token count limit exceeded")
        if self._curly + self._square > MAX_NESTING:
            raise JsonError("JSON nesting depth limit exceeded")


class _Parser:
    """Recursive descent over the tokens of one message."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = deque(tokens)

    def value(self) -> Any:
        token = self._pop()
        match token.kind:
            case Kind.LEFT_CURLY:
                return self._object()
            case Kind.LEFT_SQUARE:
                return self._array()
            case Kind.STRING:
                return _string(token.text)
            case Kind.INTEGER | Kind.FLOAT:
                return number(token.text.decode())
            case Kind.KEYWORD:
                if token.text not in _KEYWORDS:
                    raise _failure(f"invalid keyword '{token.text.decode()}'")
                return _KEYWORDS[token.text]
            case _:
                raise _failure("expecting value")

    def _pop(self) -> Token:
        if not self._tokens:
            raise _failure("premature EOI")
        return self._tokens.popleft()

    def _object(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self._tokens and self._tokens[0].kind is Kind.RIGHT_CURLY:
            self._pop()
            return result
        while True:
            self._pair(result)
            token = self._pop()
            if token.kind is Kind.RIGHT_CURLY:
                return result
            if token.kind is not Kind.COMMA:
                raise _failure("expected separator in dict")

    def _pair(self, into: dict[str, Any]) -> None:
        key = self.value()
        if not isinstance(key, str):
            raise _failure("key is not a string in object")
        if self._pop().kind is not Kind.COLON:
            raise _failure("missing : in object pair")
        value = self.value()
        if key in into:
            raise _failure("duplicate key")
        into[key] = value

    def _array(self) -> list[Any]:
        result: list[Any] = []
        if self._tokens and self._tokens[0].kind is Kind.RIGHT_SQUARE:
            self._pop()
            return result
        while True:
            result.append(self.value())
            token = self._pop()
            if token.kind is Kind.RIGHT_SQUARE:
                return result
            if token.kind is not Kind.COMMA:
                raise _failure("expected separator in list")


def number(text: str) -> int | float:
    """Read a number as QEMU does: what fits no 64-bit integer is a floating-point number."""
    try:
        value: int | float = int(text)
    except ValueError:
        value = float(text)
    if isinstance(value, int) and not -(1 << 63) <= value < (1 << 64):
        value = float(text)
    if math.isinf(value):
        raise ModelGapError(f"QEMU would print {text} as inf, which is no JSON")
    return value


def _string(quoted: bytes) -> str:
    try:
        # With the closing quote, which QEMU too sees behind an escape that is cut short.
        text = quoted[1:].decode()
    except UnicodeDecodeError:
        raise _failure("invalid UTF-8 sequence in string") from None
    parts: list[str] = []
    position = 0
    while position < len(text) - 1:
        if text[position] != "\\":
            parts.append(text[position])
            position += 1
        elif text[position + 1] == "u":
            character, position = _unicode(text, position)
            parts.append(character)
        elif text[position + 1] in _ESCAPES:
            parts.append(_ESCAPES[text[position + 1]])
            position += 2
        else:
            raise _failure("invalid escape sequence in string")
    return "".join(parts)


def _unicode(text: str, position: int) -> tuple[str, int]:
    r"""The character of a ``\uXXXX``, or of a pair of them, and where the text goes on."""
    end = position + 6
    code = _hexadecimal(text, position + 2)
    if 0xD800 <= code <= 0xDBFF and text[end : end + 2] == "\\u":
        low = _hexadecimal(text, end + 2)
        if 0xDC00 <= low <= 0xDFFF:
            return chr(0x10000 + ((code & 0x3FF) << 10 | low & 0x3FF)), end + 6
    # Surrogates and non-characters are refused, as QEMU's modified UTF-8 has no place for them.
    is_noncharacter = 0xFDD0 <= code <= 0xFDEF or (code & 0xFFFE) == 0xFFFE
    if code < 0 or 0xD800 <= code <= 0xDFFF or is_noncharacter:
        raise _failure(f"{text[position:end]} is not a valid Unicode character")
    return chr(code), end


def _hexadecimal(text: str, position: int) -> int:
    digits = text[position : position + 4]
    return int(digits, 16) if _HEX.fullmatch(digits) else -1


def _failure(what: str) -> JsonError:
    return JsonError(f"JSON parse error, {what}")


def _printed(token: bytes) -> str:
    """A token as QEMU prints it: up to a zero byte, each bad byte replaced."""
    return token.partition(b"\0")[0].decode(errors="replace")


# -- the short cut --------------------------------------------------------------------------------


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _NotPlainError("duplicate key")
    return result


def _refuse(constant: str) -> Any:
    raise _NotPlainError(constant)


def _float(text: str) -> float:
    if text[:3].lower().lstrip("-").startswith("0e"):  # QEMU ends the number before the e
        raise _NotPlainError(text)
    return float(number(text))


_plain: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse, parse_int=number, parse_float=_float
).raw_decode


def _read_plain(data: bytes) -> tuple[list[Any], bytes]:
    """Read the plain messages at the beginning. The rest is for the automaton."""
    values: list[Any] = []
    # A backslash may hide what only QEMU refuses; bytes beyond ASCII may be cut in two.
    if not data.isascii() or b"\\" in data:
        return values, data
    text = data.decode()
    position = 0
    while True:
        while text[position : position + 1] in _SPACES:
            position += 1
        if text[position : position + 1] != "{":
            return values, data[position:]
        try:
            value, end = _plain(text, position)
        except (ValueError, RecursionError):
            return values, data[position:]
        values.append(value)
        position = end
