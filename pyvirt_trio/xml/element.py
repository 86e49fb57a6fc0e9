"""An XML element as a frozen value, and how libvirt prints it.

The rest of the package works with this value instead of lxml's live nodes: it compares by value,
costs nothing to build in a test, and keeps lxml in one file (``parser``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from pyvirt_trio.errors import DefinitionError

# What XML 1.0 cannot carry even as a character reference (its production Char). libvirt drops such
# characters silently; this library refuses to write something that would read back differently.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# The five that libvirt's virBufferEscapeString replaces, and those white space characters that a
# reader would otherwise turn into a plain space or newline.
_TEXT_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\r": "&#13;"}
)
_ATTRIBUTE_ESCAPES = {**_TEXT_ESCAPES, ord("\n"): "&#10;", ord("\t"): "&#9;"}
# Nearly every value: nothing to escape and nothing to refuse.
_PLAIN = re.compile("[A-Za-z0-9 _.,:;/+=@#()-]*")

_INDENTATION = "  "


@attrs.frozen
class Element:
    """One element with everything inside it.

    Args:
        tag: Its name; ``prefix:name`` when it belongs to a namespace.
        attributes: Name to value, in document order.
        children: Its elements in document order.
        text: Its own character data; empty when it is white space around children.
        verbatim: Lines of elements that are printed as they are, after the children.
    """

    tag: str
    attributes: Mapping[str, str] = attrs.field(factory=dict[str, str])
    children: tuple[Element, ...] = ()
    text: str = ""
    verbatim: tuple[str, ...] = ()

    def child_attribute(self, tag: str, name: str) -> str | None:
        """An attribute of the first child element ``tag``; ``None`` when there is no such thing."""
        child = next((one for one in self.children if one.tag == tag), None)
        return None if child is None else child.attributes.get(name)

    def with_children(self, *children: Element | None) -> Element:
        """This element with ``children`` after its own ones; ``None`` stands for nothing."""
        return attrs.evolve(self, children=self.children + _present(children))


def element(
    tag: str, attributes: Mapping[str, object] | None = None, *children: Element | None
) -> Element:
    """An element to print; attributes and children that are ``None`` are left out."""
    present = {name: str(value) for name, value in (attributes or {}).items() if value is not None}
    return Element(tag, present, _present(children))


def text_element(
    tag: str, text: object, attributes: Mapping[str, object] | None = None
) -> Element | None:
    """An element that holds only ``text``; ``None`` when there is no text."""
    if text is None:
        return None
    present = {name: str(value) for name, value in (attributes or {}).items() if value is not None}
    return Element(tag, present, text=str(text))


def switched(value: bool | None, on: str, off: str) -> str | None:
    """The value of an attribute with two values, which is left out when there is nothing to say."""
    return None if value is None else on if value else off


def render(root: Element) -> str:
    """``root`` as text in libvirt's layout: two spaces per level, single-quoted attributes.

    Returns:
        The text, ending in a newline as libvirt's does.

    Raises:
        DefinitionError: A value contains a character that XML cannot carry.
    """
    lines: list[str] = []
    _render_into(lines, root, "")
    return "\n".join(lines) + "\n"


def rendered_lines(item: Element) -> tuple[str, ...]:
    """The lines of ``item``, without indentation of the whole; for `Element.verbatim`.

    Raises:
        DefinitionError: As `render`.
    """
    lines: list[str] = []
    _render_into(lines, item, "")
    return tuple(lines)


def _present(children: tuple[Element | None, ...]) -> tuple[Element, ...]:
    return tuple(child for child in children if child is not None)


def _render_into(lines: list[str], item: Element, indentation: str) -> None:
    opening = item.tag
    for name, value in item.attributes.items():
        is_plain = _PLAIN.fullmatch(value)
        opening += f" {name}='{value if is_plain else _escaped(item, value, _ATTRIBUTE_ESCAPES)}'"
    if item.children or item.verbatim:
        lines.append(f"{indentation}<{opening}>")
        for child in item.children:
            _render_into(lines, child, indentation + _INDENTATION)
        lines.extend(indentation + _INDENTATION + text for text in item.verbatim)
        lines.append(f"{indentation}</{item.tag}>")
    elif item.text:
        text = item.text
        if not _PLAIN.fullmatch(text):
            text = _escaped(item, text, _TEXT_ESCAPES)
        lines.append(f"{indentation}<{opening}>{text}</{item.tag}>")
    else:
        lines.append(f"{indentation}<{opening}/>")


def _escaped(item: Element, value: str, escapes: Mapping[int, str]) -> str:
    match = _UNPRINTABLE.search(value)
    if match is not None:
        raise DefinitionError(f"<{item.tag}> cannot carry the character {match[0]!r}")
    return value.translate(escapes)
