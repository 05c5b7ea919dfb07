"""Passwords never show in an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.schema.urls import mask_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@db:5432/app", "postgresql://ann:***@db:5432/app"),
        ("postgresql+psycopg://ann:p@ss@db/app", "postgresql+psycopg://ann:***@db/app"),
        ("postgresql://ann:a/b?c@db/app", "postgresql://ann:***@db/app"),
        ("postgresql://ann@db/app", "postgresql://ann@db/app"),
        ("sqlite:////var/lib/store.db", "sqlite:////var/lib/store.db"),
        ("postgresql://db/app?user=ann&password=s3cret&x=1", "postgresql://db/app?user=ann&password=***&x=1"),
        (
            'could not connect to "postgresql://ann:s3cret@db"',
            'could not connect to "postgresql://ann:***@db"',
        ),
    ],
)
def test_password_is_replaced_and_the_rest_stays(url, shown):
    """The password goes, user, host, port and options stay."""
    assert mask_url(url) == shown


@given(st.text(alphabet=st.characters(exclude_categories=["Z", "C"]), min_size=4))
def test_no_password_survives(password):
    """Whatever the password is made of, it is not in what is shown."""
    assert mask_url(f"postgresql://ann:{password}@db/app") == "postgresql://ann:***@db/app"
