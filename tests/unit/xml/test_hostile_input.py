"""Nothing in a text makes the parser do anything but answer, soon, with a DefinitionError."""

from __future__ import annotations

import pathlib
import re
import time
import uuid
from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import DomainDefinition
from pyvirt_trio.xml import format_domain, parse_device, parse_domain
from pyvirt_trio.xml.parser import (
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_ELEMENTS,
    parse_document,
)
from tests.strategies import domain_definitions

LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
BILLION_LAUGHS = f"<!DOCTYPE d [<!ENTITY l0 'ha'>{LAUGHS}]><domain a='&l9;'>&l9;</domain>"


ANSWERS = (ErrorCode.XML_ERROR, ErrorCode.XML_DETAIL, ErrorCode.CONFIG_UNSUPPORTED)


def answer_to(text: str | bytes, parse: Callable[[str | bytes], object]) -> DefinitionError | None:
    """What ``parse`` says to ``text``; any exception but DefinitionError is a bug."""
    try:
        parse(text)
    except DefinitionError as error:
        return error
    return None


def parse_as_domain(text: str | bytes) -> DomainDefinition:
    return parse_domain(text, fresh_uuid=lambda: uuid.UUID(int=1))


def parse_anything(text: str | bytes) -> None:
    """Both readers of text accept it, or say in few words what is wrong."""
    for parse in (parse_as_domain, parse_device):
        error = answer_to(text, parse)
        assert error is None or (error.code in ANSWERS and len(str(error)) < 1000)


@given(st.text() | st.binary())
@example("\x00")
@example("\ud800")
@example(b"\xff\xfe<\x00d\x00/\x00>\x00")
@example("\ufeff<domain/>")
@example("<?xml version='1.0' encoding='utf-16'?><domain/>")
@example(b"<?xml version='1.0' encoding='utf-16'?><domain/>")
@example("<a:b xmlns:a='urn:\u00e9'/>")
@example("<a:b/>")
@example("<xml:domain/>")
def test_arbitrary_text_is_answered(text: str | bytes) -> None:
    parse_anything(text)


tokens = st.sampled_from(
    [
        "<",
        ">",
        "/>",
        "'",
        "&",
        "&#0;",
        "&#x1F600;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x?>",
        "<!DOCTYPE a>",
        "<disk>",
        "</disk>",
        " type='",
        "domain",
        "0x",
        "-1",
        "99999999999999999999",
        "\u0661",
        "\u00e9",
        "\r",
        "\n",
        "ua-",
        "xmlns='urn:a'",
        "xmlns:a='urn:a'",
        "<a:disk/>",
    ]
)
edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 12), tokens | st.text(max_size=3)),
    min_size=1,
    max_size=4,
)


@given(domain_definitions(), edits)
def test_mutated_descriptions_are_answered(
    definition: DomainDefinition, changes: list[tuple[float, int, str]]
) -> None:
    text = format_domain(definition)
    for where, cut, inserted in changes:
        start = int(where * len(text))
        text = text[:start] + inserted + text[start + cut :]
    parse_anything(text)


def refused(text: str | bytes) -> DefinitionError:
    """The refusal, which must come within half a second of processor time."""
    started = time.process_time()
    with pytest.raises(DefinitionError) as caught:
        parse_document(text)
    assert time.process_time() - started < 0.5
    assert caught.value.code == ErrorCode.XML_DETAIL
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        BILLION_LAUGHS,
        BILLION_LAUGHS.encode(),
        "\ufeff" + BILLION_LAUGHS,
        "<?xml version='1.0'?>\n<!-- <!-- -->\n<?a?>" + BILLION_LAUGHS,
    ],
)
def test_billion_laughs_are_not_laughed(text: str | bytes) -> None:
    assert "a document type declaration is not allowed" in str(refused(text))


def test_the_line_of_a_document_type_is_named() -> None:
    assert str(refused("<!--\n-->\n<!DOCTYPE a><a/>")).startswith("line 3: a document type")


def test_no_file_of_the_host_is_read(tmp_path: pathlib.Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<name>secret</name>")
    text = f"<!DOCTYPE d [<!ENTITY s SYSTEM '{secret.as_uri()}'>]><domain>&s;</domain>"
    assert "secret<" not in str(refused(text))


def test_no_entity_is_expanded_even_where_the_check_for_them_is_blind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Should the search for "<!DOCTYPE" ever be fooled, the parser itself still refuses.
    monkeypatch.setattr("pyvirt_trio.xml.parser._PROLOG", re.compile("x?"))
    assert "document type" in str(refused(" <!DOCTYPE d [<!ENTITY a 'b'>]><domain>&a;</domain>"))


def test_a_document_type_that_is_only_mentioned_is_fine() -> None:
    assert parse_document("<!-- <!DOCTYPE a> --><a>&lt;!DOCTYPE a></a>").text == "<!DOCTYPE a>"


def test_deep_nesting_is_refused() -> None:
    def nested(depth: int) -> str:
        return "<a>" * depth + "</a>" * depth

    parse_document(nested(MAX_DEPTH))
    assert "nest more than 32 deep" in str(refused(nested(MAX_DEPTH + 1)))
    refused(nested(MAX_ELEMENTS))
    refused("<a>" * MAX_ELEMENTS)


def test_too_many_elements_are_refused() -> None:
    assert "more than 20000 elements" in str(refused("<a>" + "<b></b>" * MAX_ELEMENTS + "</a>"))


def test_a_big_document_is_refused_by_its_size() -> None:
    text = f"<a>{'x' * (MAX_DOCUMENT_BYTES - 7)}</a>"
    parse_document(text)
    assert "1048577 bytes, more than 1048576" in str(refused(text + " "))


@pytest.mark.parametrize(
    "text",
    [
        "<a " + " ".join(f"b{n}=''" for n in range(60_000)) + "/>",
        "<!--" * 30_000,
        "<?a " * 30_000,
        " " * (MAX_DOCUMENT_BYTES - 1) + "<",
        "<a" + " " * (MAX_DOCUMENT_BYTES - 10),
        b"<?xml " + b" " * (MAX_DOCUMENT_BYTES - 10),
    ],
    ids=["attributes", "comments", "instructions", "spaces", "tag", "declaration"],
)
def test_no_text_within_the_bounds_takes_long(text: str | bytes) -> None:
    started = time.process_time()
    parse_anything(text)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "UTF-7"])
def test_bytes_in_another_encoding_are_refused_not_misread(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?><a>\u00e9</a>".encode()
    assert f"encoding {encoding} is not supported, use UTF-8" in str(refused(text))
    assert "not valid UTF-8" in str(refused("<a>\u00e9</a>".encode("iso-8859-1")))


def test_the_declared_encoding_of_decoded_text_means_nothing() -> None:
    text = "<?xml version='1.0' encoding='iso-8859-1'?><a>\u00e9</a>"
    assert parse_document(text).text == "\u00e9"
