"""What other programs keep in a definition: it comes back as it was, and nothing else gets in."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_trio.errors import DefinitionError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.xml.domain import format_domain, parse_domain
from pyvirt_trio.xml.metadata import metadata_content, metadata_element
from tests.part_strategies import xml_text

TAGS = st.sampled_from(["a", "app", "item"])
URIS = st.sampled_from(["urn:one", "http://example.org/two?x=1&y", "urn:a:b#c"])


def parse(text: str) -> DomainDefinition:
    return parse_domain(text, fresh_uuid=lambda: uuid.UUID(int=1))


def domain(inside: str) -> DomainDefinition:
    return parse(
        "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os>"
        f"{inside}</domain>"
    )


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> str:
    """XML without a namespace, with text wherever text may be."""
    from xml.sax.saxutils import escape, quoteattr

    tag = draw(TAGS)
    inside = escape(draw(xml_text(min_size=0, max_size=5)))
    for child in draw(st.lists(elements(depth - 1), max_size=2)) if depth else []:
        inside += child + escape(draw(xml_text(min_size=0, max_size=3)))
    return f"<{tag} x={quoteattr(draw(xml_text(max_size=5)))}>{inside}</{tag}>"


@given(elements(), URIS)
def test_an_element_is_kept_through_a_definition_and_comes_back_without_namespace(
    xml: str, uri: str
) -> None:
    kept = metadata_element(xml, uri=uri, key="k")
    definition = domain(f"<metadata>{kept.xml}</metadata>")
    assert (kept,) == definition.metadata
    again = parse(format_domain(definition))
    assert definition == again
    content = metadata_content(again.metadata[0])
    assert metadata_element(content, uri=uri, key="k") == kept
    assert uri not in content


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=20))
def test_titles_and_descriptions_are_kept(text: str) -> None:
    from xml.sax.saxutils import escape

    definition = domain(f"<title>{escape(text)}</title><description>{escape(text)}</description>")
    assert (text or None, text or None) == (definition.title, definition.description)
    assert definition == parse(format_domain(definition))


def test_a_namespace_declared_further_out_goes_with_the_element() -> None:
    inside = "<metadata xmlns:n='urn:n' xmlns:o='urn:o'><n:a n:b='c'><o:d/></n:a></metadata>"
    [kept] = domain(inside).metadata
    assert kept.xml == '<n:a xmlns:n="urn:n" xmlns:o="urn:o" n:b="c"><o:d/></n:a>'


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("<metadata><a/></metadata>", "<a> must belong to a namespace of its own"),
        (
            "<metadata><a xmlns='urn:a'/><b xmlns='urn:a'/></metadata>",
            "two elements of namespace 'urn:a'",
        ),
        ("<title>a\nb</title>", "a title must not contain newlines"),
        ("<title><b/></title>", "this element is not supported"),
    ],
)
def test_what_cannot_be_told_apart_later_is_refused(inside: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        domain(inside)


@pytest.mark.parametrize(
    ("xml", "key"), [("<a/>", "1"), ("<a/>", "a b"), ("<a/><b/>", "k"), ("text", "k")]
)
def test_what_is_no_element_or_prefix_is_refused(xml: str, key: str) -> None:
    with pytest.raises(DefinitionError):
        metadata_element(xml, uri="urn:a", key=key)
