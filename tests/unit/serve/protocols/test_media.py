import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.serve.errors import Unsupported
from modelwright.serve.protocols.media import accepted, media_type, only_utf8

OFFERS = ("application/json", "text/csv")


def test_a_content_type_is_read_with_its_parameters():
    """Case and quotes make no difference."""
    assert media_type({"content-type": 'Text/CSV; Charset="UTF-8"'}, "x/y") == (
        "text/csv",
        {"charset": "UTF-8"},
    )


def test_without_a_content_type_the_default_holds():
    """An empty header is none."""
    assert media_type({"content-type": " "}, "x/y") == ("x/y", {})


def test_another_charset_is_refused():
    """Only UTF-8 and what is part of it."""
    only_utf8({"charset": "US-ASCII"})
    with pytest.raises(Unsupported):
        only_utf8({"charset": "latin-1"})


@pytest.mark.parametrize(
    ("accept", "best"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*;q=0.9, application/json;q=0.5", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("application/json;q=0.1, text/csv;q=0.2", "text/csv"),
        ("image/png", None),
        ("text/csv;q=oops", None),
    ],
)
def test_the_offer_liked_best_is_taken(accept, best):
    """Weights, ranges and refusals of Accept count."""
    assert accepted({"accept": accept}, OFFERS) == best


@given(st.text(), st.text())
def test_no_header_breaks_it(content_type, accept):
    """Headers are a stranger's words."""
    media_type({"content-type": content_type}, "x/y")
    assert accepted({"accept": accept}, OFFERS) in {*OFFERS, None}
