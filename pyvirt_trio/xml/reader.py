"""Reading an element such that nothing in it is overlooked.

A ``Reader`` hands out the parts of one element and remembers what was asked for. When everything
has been read, ``finish`` refuses whatever nobody asked for, unless ``defaults`` says that it means
exactly what happens anyway. So the rule "what we cannot represent is an error, never a silent loss"
needs no second list of known names beside the code that reads them.
"""

from __future__ import annotations

import re

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.xml.defaults import is_accepted
from pyvirt_trio.xml.element import Element

# 2**64 has 22 octal digits. Without a limit Python would spend quadratic time on a megabyte of
# digits (or raise its own error).
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,23}")

_SHOWN_CHARACTERS = 40


def quoted(value: str) -> str:
    """``value`` for an error text: quoted, and cut so that no message grows with its input."""
    if len(value) > _SHOWN_CHARACTERS:
        return repr(value[:_SHOWN_CHARACTERS]) + "..."
    return repr(value)


class Reader:
    """One element being read.

    Args:
        element: What is read.
        parent: The reader of the element around it.
        path: Where it is for people; ``None`` for where it stands.
    """

    def __init__(
        self, element: Element, parent: Reader | None = None, *, path: str | None = None
    ) -> None:
        self.element = element
        self.tag = element.tag
        self.is_taken = False
        self._parent = parent
        self._path = path
        self._children: tuple[Reader, ...] | None = None
        self._read_attributes: list[str] = []
        self._is_text_read = False

    @property
    def children(self) -> tuple[Reader, ...]:
        """All child elements in document order; one that is read must be taken with ``take``."""
        if self._children is None:
            self._children = tuple([Reader(child, self) for child in self.element.children])
        return self._children

    @property
    def path(self) -> str:
        """Its XPath, with an index where siblings share the tag; made for error messages only."""
        if self._path is not None:
            return self._path
        if self._parent is None:
            return f"/{self.tag}"
        twins = [one for one in self._parent.children if one.tag == self.tag]
        index = f"[{twins.index(self) + 1}]" if len(twins) > 1 else ""
        return f"{self._parent.path}/{self.tag[:_SHOWN_CHARACTERS]}{index}"

    @property
    def kind(self) -> str:
        """Its path without indexes, which is how ``defaults`` knows where its children stand."""
        return f"{self._parent.kind if self._parent else ''}/{self.tag}"

    @property
    def is_default(self) -> bool:
        """Whether this element says only what is so anyway."""
        return is_accepted(self._parent.kind if self._parent else "", self.element)

    def take(self) -> Reader:
        """Marks this element as read by someone, who answers for its contents."""
        self.is_taken = True
        return self

    def has(self, tag: str) -> bool:
        """Whether there is a child element ``tag``; it is not taken."""
        return any(reader.tag == tag for reader in self.children)

    def child(self, tag: str) -> Reader | None:
        """The child element ``tag``, or ``None``; a second one is refused."""
        found: Reader | None = None
        for reader in self.children:
            if reader.tag == tag:
                if found is not None:
                    raise reader.wrong("given more than once")
                found = reader.take()
        return found

    def required_child(self, tag: str) -> Reader:
        """The child element ``tag``, which must be there."""
        found = self.child(tag)
        if found is None:
            raise self.wrong(f"missing element <{tag}>")
        return found

    def child_text(self, tag: str) -> str | None:
        """The text of the child element ``tag``; ``None`` when it is missing or empty."""
        found = self.child(tag)
        return (found.text or None) if found is not None else None

    @property
    def text(self) -> str:
        """The element's own text, exactly as written."""
        self._is_text_read = True
        return self.element.text

    def attribute(self, name: str) -> str | None:
        """The value of an attribute, or ``None``."""
        self._read_attributes.append(name)
        return self.element.attributes.get(name)

    def required(self, name: str) -> str:
        """The value of an attribute that must be there and not be empty."""
        value = self.attribute(name)
        if not value:
            raise self.wrong(f"missing attribute {name!r}")
        return value

    def choice(self, name: str, *allowed: str, default: str | None = None) -> str:
        """An attribute of which libvirt knows more values than the ``allowed`` ones."""
        value = self.required(name) if default is None else self.attribute(name)
        if value is None:
            assert default is not None
            return default
        if value not in allowed:
            expected = " or ".join(repr(item) for item in allowed)
            raise self.unsupported(
                f"{name} {quoted(value)} is not supported, expected {expected}", attribute=name
            )
        return value

    def switch(self, name: str, on: str, off: str, *, default: bool) -> bool:
        """An attribute with two values, such as ``yes`` and ``no``."""
        value = self.attribute(name)
        if value is None:
            return default
        if value not in (on, off):
            raise self.wrong(
                f"invalid {name} {quoted(value)}, expected {on!r} or {off!r}", attribute=name
            )
        return value == on

    def optional_switch(self, name: str, on: str, off: str) -> bool | None:
        """As `switch`; ``None`` when it is left out. `element.switched` writes it."""
        if self.attribute(name) is None:
            return None
        return self.switch(name, on, off, default=False)

    def integer(
        self, name: str, *, default: int | None = None, minimum: int = 0, maximum: int
    ) -> int:
        """A number: decimal, ``0x`` hexadecimal, or octal with a leading zero, as libvirt reads."""
        text = self.required(name) if default is None else self.attribute(name)
        if text is None:
            assert default is not None
            return default
        value = parse_number(text)
        if value is None or not minimum <= value <= maximum:
            raise self.wrong(
                f"invalid {name} {quoted(text)}, expected a number from {minimum} to {maximum}",
                attribute=name,
            )
        return value

    def finish(self) -> None:
        """Everything in this element was read or changes nothing.

        Raises:
            DefinitionError: Code ``CONFIG_UNSUPPORTED`` for an element or attribute nobody asked
                for, ``XML_ERROR`` for text where none belongs.
        """
        element = self.element
        for name in element.attributes:
            if name not in self._read_attributes:
                raise self.unsupported("this attribute is not supported", attribute=name)
        if element.text and not self._is_text_read and element.text.strip():
            raise self.wrong(f"unexpected text {quoted(element.text.strip())}")
        for child in self.children:
            if child.is_taken:
                child.finish()
            elif not child.is_default:
                raise child.unsupported("this element is not supported")

    def wrong(self, message: str, *, attribute: str | None = None) -> DefinitionError:
        """The error for what libvirt would refuse as well."""
        return DefinitionError(message, path=self._path_of(attribute))

    def unsupported(self, message: str, *, attribute: str | None = None) -> DefinitionError:
        """The error for what libvirt may accept and this library cannot represent."""
        return DefinitionError(
            message, path=self._path_of(attribute), code=ErrorCode.CONFIG_UNSUPPORTED
        )

    def _path_of(self, attribute: str | None) -> str:
        return f"{self.path}/@{attribute[:_SHOWN_CHARACTERS]}" if attribute else self.path


def parse_number(text: str) -> int | None:
    """A C integer literal (base 0 of ``strtoul``), or ``None`` when ``text`` is none."""
    if _NUMBER.fullmatch(text, 0) is None or not text.isascii():
        return None
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    try:
        return int(text, 8 if text.startswith("0") else 10)
    except ValueError:  # a digit 8 or 9 in an octal number
        return None
