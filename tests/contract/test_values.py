"""Whatever JSON can say comes back identical from every store."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelwright.testing.factories import prediction

TEXT = st.text(max_size=30) | st.sampled_from(
    ["\x00", "a\x00b", "\x1a", "\x1a0000", "\\u0000", "\U0010ffff", "é" * 50]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False)
    | TEXT
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


def same(one, other):
    """Equal, and of the same types throughout (1 is not 1.0 is not True, 0.0 is not -0.0)."""
    return repr(one) == repr(other)


@given(inputs=JSON, outputs=JSON, warnings=st.lists(JSON, max_size=2), client=TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_any_json_comes_back_identical(store, inputs, outputs, warnings, client):
    """Inputs, outputs, warnings and plain text, with U+0000, big integers and exact floats."""
    record = prediction(inputs=inputs, outputs=outputs, warnings=tuple(warnings), client=client)
    assert store.predictions.add([record]) == 1
    assert same(store.predictions.get("iris", record.id), record)
    label = store.labels.add("iris", record.id, inputs, client=client)
    assert same(label.target, inputs)
    assert same(list(store.labels.get("iris", record.id)), [label])


@given(features=st.dictionaries(TEXT, JSON, max_size=4), target=JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_any_sample_and_event_come_back_identical(store, features, target):
    """Also the mappings that people name themselves."""
    sample = store.samples.add("iris", features, target)
    assert same((sample.features, sample.target), (features, target))
    event = store.events.add("iris", "note", "", features)
    assert same(event.data, features)
    assert same(store.events.list("iris", limit=1)[0], event)


@given(id=TEXT, project=TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_any_text_is_an_id(store, id, project):
    """Ids and projects are found again by exactly what they are."""
    store.predictions.add([prediction(id, project=project)])
    assert store.predictions.get(project, id).id == id
    store.labels.add(project, id, 1)
    assert id in [record.id for record in store.predictions.history(project, labelled=True, limit=1000)]
    assert store.labels.latest(project, [id])[id].prediction_id == id


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "half \ud800", {"\udfff": [math.nan, None]}]
)
def test_what_json_lacks_is_kept_too(store, value):
    """NaN, the infinities and lone surrogates, which Python's JSON knows and a refused row may hold."""
    record = prediction(inputs=value, outputs=[value, None])
    store.predictions.add([record])
    assert same(store.predictions.get("iris", record.id), record)
