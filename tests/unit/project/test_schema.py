"""The published JSON Schema is the typed model's, and judges as the check does."""

import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from modelwright.project.load import check
from modelwright.project.schema import PUBLISHED, build, text
from modelwright.project.write import start_project


def test_the_published_file_is_up_to_date():
    """The file in the package equals the generated one."""
    assert PUBLISHED.read_text(encoding="utf-8") == text()


def test_it_is_a_schema_and_names_no_host():
    """The schema is valid by its own draft; its id is a name, not an address of somebody else."""
    Draft202012Validator.check_schema(build())
    assert build()["$id"] == "urn:modelwright:project:1"


def test_every_key_is_described():
    """Editors show a sentence for every key with a value of its own."""
    schema = build()
    for part in (schema, *schema["$defs"].values()):
        for name, value in part.get("properties", {}).items():
            references = json.dumps(value).count("$ref")
            assert value.get("description") or references or name == "candidates", name


JUDGED = [
    ({"name": "x", "data": {"source": "a", "target": "t"}}, True),
    ({"name": "x", "data": {"source": "a", "target": 5}, "train": None}, True),
    ({"name": "x", "data": {"source": "a", "target": "t", "missing": [-999, "NA"]}}, True),
    ({"name": "x", "data": {"source": "a", "target": "t"}, "features": {"a": None}}, True),
    (
        {"name": "x", "data": {"source": "a", "target": "t"}, "train": {"candidates": ["xgboost", "a.B"]}},
        True,
    ),
    (
        {"name": "x", "data": {"source": "a", "target": "t"}, "train": {"candidates": [{"knn": {"k": 1}}]}},
        True,
    ),
    ({"name": "x", "data": {"source": "a", "target": "t"}, "train": {"candidates": ["xgbost"]}}, False),
    ({"name": "x", "data": {"source": "a", "target": "t"}, "train": {"metric": "auc"}}, False),
    ({"name": "x", "data": {"source": "a", "target": "t"}, "tain": {}}, False),
    ({"name": "x y", "data": {"source": "a", "target": "t"}}, False),
    ({"name": "x", "data": {"source": {"url": "a://b"}, "target": "t"}}, False),
    ({"name": "x", "data": {"source": "a", "target": "t"}, "serve": {"port": 0}}, False),
    ({"data": {"source": "a", "target": "t"}}, False),
]


@pytest.mark.parametrize(("data", "good"), JUDGED, ids=[json.dumps(data)[:70] for data, _ in JUDGED])
def test_schema_and_check_agree(tmp_path, data, good):
    """What an editor underlines is what the check tells."""
    path = tmp_path / "project.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert (check(path) == []) is good
    assert Draft202012Validator(build()).is_valid(data) is good


def test_a_started_project_fits_the_schema(tmp_path):
    """What we write ourselves, an editor accepts."""
    start_project(tmp_path, "shop")
    data = yaml.safe_load((tmp_path / "project.yaml").read_text(encoding="utf-8"))
    Draft202012Validator(build()).validate(data)
