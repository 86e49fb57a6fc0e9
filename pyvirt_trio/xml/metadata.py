"""``<metadata>``: elements of other programs, which are kept as they are.

Beside ``parser`` the only file that imports lxml: `Element` does not know namespaces, and nothing
else needs them. Text gets here only after ``parser`` has refused what is dangerous.
"""

from __future__ import annotations

from typing import TypeAlias

from lxml import etree

from pyvirt_trio.errors import DefinitionError
from pyvirt_trio.models.metadata import MetadataElement
from pyvirt_trio.xml.parser import parse_document

# lxml's public name for the class of every node begins with an underscore.
_Node: TypeAlias = etree._Element  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001

_PATH = "/domain/metadata"


def metadata_in(text: str | bytes) -> tuple[MetadataElement, ...]:
    """The elements below ``<metadata>`` in a domain document that has been parsed.

    Raises:
        DefinitionError: One has no namespace, or two have the same.
    """
    tree = _tree(text)
    found = [_kept(node) for node in tree.iterfind("metadata/*")]
    seen: set[str] = set()
    for one in found:
        if one.uri in seen:
            raise DefinitionError(f"two elements of namespace {one.uri[:40]!r}", path=_PATH)
        seen.add(one.uri)
    return tuple(found)


def metadata_element(xml: str, *, uri: str, key: str) -> MetadataElement:
    """An element to keep, all of it put into the namespace ``uri``.

    Args:
        xml: One element without a namespace.
        uri: Of the namespace.
        key: Its prefix.

    Raises:
        DefinitionError: The text is not one element, or the prefix is none.
    """
    parse_document(xml, name="metadata_xml")
    try:
        root = etree.Element(f"{{{uri}}}x", nsmap={key: uri})
    except ValueError as error:
        raise DefinitionError(
            f"no prefix {key[:40]!r} of {uri[:40]!r}: {error}", path=_PATH
        ) from None
    root.append(_tree(xml))
    node = root[0]
    for part in node.iter():
        if not part.tag.startswith("{"):
            part.tag = f"{{{uri}}}{part.tag}"
    return _kept(node)


def metadata_content(element: MetadataElement) -> str:
    """The element without its namespace, as `metadata_element` was given it."""
    node = _tree(element.xml)
    prefix = f"{{{element.uri}}}"
    for part in node.iter():
        part.tag = part.tag.removeprefix(prefix)
    etree.cleanup_namespaces(node)
    return _text(node)


def _kept(node: _Node) -> MetadataElement:
    uri = etree.QName(node).namespace
    if not uri:
        raise DefinitionError(
            f"<{str(node.tag)[:40]}> must belong to a namespace of its own", path=_PATH
        )
    return MetadataElement(uri, _text(node))


def _tree(text: str | bytes) -> _Node:
    data = text.encode() if isinstance(text, str) else text
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_pis=True, remove_comments=True
    )
    return etree.fromstring(data, parser)


def _text(node: _Node) -> str:
    # A copy: a node knows the namespaces declared around it, and would write all of them down.
    lone = etree.fromstring(etree.tostring(node, with_tail=False))
    etree.cleanup_namespaces(lone)
    return etree.tostring(lone, encoding="unicode")
