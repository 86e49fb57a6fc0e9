"""Text to an ``Element``, safely: the only file that imports lxml.

Descriptions come from clients that may be hostile. Therefore: no document type (and so no entity,
the vehicle of "billion laughs" and of reading the host's files), no network, and four bounds.
Whatever is wrong with the text, the caller sees a ``DefinitionError`` with libvirt's code 35.
"""

from __future__ import annotations

import re
from typing import TypeAlias, cast

from lxml import etree

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.xml.element import Element

MAX_DOCUMENT_BYTES = 1 << 20
"""1 MiB. libvirt's own dump of a domain is 2 to 6 kB, with every slot filled about 200 kB."""

MAX_ELEMENTS = 20_000
"""A domain has at most 255 buses and some 20 elements per device; twice that many and more."""

MAX_ATTRIBUTES = 64
"""Per element; libvirt's widest has about 20. lxml reads n attributes in n squared steps."""

MAX_DEPTH = 32
"""libvirt's schema nests 8 deep; the rest is for what others keep in ``<metadata>``."""

MAX_SHOWN_CHARACTERS = 80
"""Of the line that is malformed; libvirt shows all of it."""

# lxml's public name for the class of every node begins with an underscore.
_Node: TypeAlias = etree._Element  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001

# What may stand before the root element, other than a document type. Possessive, thus linear.
_PROLOG = re.compile(r"\ufeff?(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_DECLARED_ENCODING = re.compile(rb"<\?xml[^>]{0,80}?encoding\s*=\s*[\"']([\w.-]+)[\"']")
_READABLE_ENCODINGS = (b"utf-8", b"utf8", b"us-ascii", b"ascii")


def parse_document(
    text: str | bytes, *, root: str | None = None, name: str = "domain_definition"
) -> Element:
    """Read one document.

    Args:
        text: The document; bytes must be UTF-8.
        root: The tag its root element must have; ``None`` accepts any.
        name: What libvirt calls such a document where it is malformed.

    Raises:
        DefinitionError: Code ``XML_DETAIL`` when it is not well-formed (the message names the
            line) or exceeds a bound, ``XML_ERROR`` when the root element is another one.
    """
    content = _checked_text(text)
    # Made anew each time: an lxml parser keeps the error log of its last document.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        tree = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise _malformed(_said_by_libvirt(error, content, name)) from None
    # The stubs call it always present; None is what lxml gives when there is no document type.
    document_type = cast("object | None", tree.getroottree().docinfo.internalDTD)
    if document_type is not None:
        raise _malformed("a document type declaration is not allowed")
    found = _convert(tree, depth=1)
    if root is not None and found.tag != root:
        raise DefinitionError(
            f"expecting root element of '{root}', not '{found.tag[:40]}'", path="/"
        )
    return found


def _malformed(message: str) -> DefinitionError:
    return DefinitionError(message, code=ErrorCode.XML_DETAIL)


def _said_by_libvirt(error: etree.XMLSyntaxError, content: bytes, name: str) -> str:
    """Where the parser stopped, as libvirt shows it (``catchXMLError``), null pointer and all.

    libxml2 says what is wrong, and lxml adds the place, which is shown better here.
    """
    line, column = error.position
    lines = content.decode().splitlines()
    whole = lines[line - 1] if 0 < line <= len(lines) else ""
    start = max(0, column - 1 - MAX_SHOWN_CHARACTERS // 2)
    shown = whole[start : start + MAX_SHOWN_CHARACTERS]
    message = (error.msg or "").removesuffix(f", line {line}, column {column}")
    message = message[: 2 * MAX_SHOWN_CHARACTERS]
    dashes = "-" * min(column - 1 - start, len(shown))
    return f"({name}):{line}: {message}\n{shown or '(null)'}\n{dashes}^"


def _checked_text(text: str | bytes) -> bytes:
    """``text`` as UTF-8, once everything that can be refused without parsing is refused."""
    try:
        if isinstance(text, bytes):
            _refuse_foreign_encoding(text)
            content, document = text, text.decode("utf-8")
        else:
            content, document = text.encode("utf-8"), text
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise _malformed(f"the document is not valid UTF-8: {error.reason}") from None
    if len(content) > MAX_DOCUMENT_BYTES:
        raise _malformed(f"the document has {len(content)} bytes, more than {MAX_DOCUMENT_BYTES}")
    # An element costs at most two '<'; counting them is faster than finding out by parsing.
    if document.count("<") > 2 * MAX_ELEMENTS:
        raise _malformed(f"the document has more than {MAX_ELEMENTS} elements")
    prolog = _PROLOG.match(document)
    start = prolog.end() if prolog is not None else 0
    if document.startswith("<!DOCTYPE", start):
        line = document.count("\n", 0, start) + 1
        raise _malformed(f"line {line}: a document type declaration is not allowed")
    return content


def _refuse_foreign_encoding(text: bytes) -> None:
    declared = _DECLARED_ENCODING.match(text)
    if declared is not None and declared[1].lower() not in _READABLE_ENCODINGS:
        raise _malformed(f"line 1: encoding {declared[1].decode()} is not supported, use UTF-8")


def _convert(node: _Node, depth: int) -> Element:
    if depth > MAX_DEPTH:
        raise _malformed(f"line {node.sourceline}: elements nest more than {MAX_DEPTH} deep")
    if len(node.attrib) > MAX_ATTRIBUTES:
        raise _malformed(f"line {node.sourceline}: more than {MAX_ATTRIBUTES} attributes")
    attributes = dict(cast("list[tuple[str, str]]", node.items()))
    tag, text = node.tag, node.text or ""
    if tag.startswith("{"):
        tag = _spelled_out(node)
    if len(node) == 0:
        return Element(tag, attributes, (), text)
    texts, children = [text], list[Element]()
    for child in node:
        children.append(_convert(child, depth + 1))
        texts.append(child.tail or "")
    text = "".join(texts)
    return Element(tag, attributes, tuple(children), text if text.strip() else "")


def _spelled_out(node: _Node) -> str:
    """The tag as written, except that a default namespace is spelled out (it changes the name)."""
    name = etree.QName(node)
    return f"{node.prefix or '{' + name.namespace + '}'}:{name.localname}"
