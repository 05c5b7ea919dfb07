"""Bundle format 1: which files there are, and what the manifest says.

A bundle is a folder::

    manifest.json     this module's Manifest; lists every other file with its sha256
    <model>.onnx      one per model; "model.onnx" where there is one
    schema.json       BundleSchema: what a client sends, and what the models see
    encoding.json     how columns become the graph's input tensors
    reference.json    profile of the training data, for drift
    derive.py         the project's own row function, if it has one
    example.json      a request that works, and its answer
    background.json   a few training rows that answers are compared with when they are explained; optional

The graph of every model takes up to two inputs, ``numbers`` (float32, [rows, k]) and ``strings``
(string, [rows, m]), and gives for a classification ``label`` (int64, [rows], an index into the
labels) and ``probabilities`` (float32, [rows, classes]); for a regression ``value`` (float64,
[rows]); for a clustering ``label`` (int64, [rows]) and ``distances`` (float32, [rows, clusters]).

A reader of format N reads every format up to N. To change the format: raise FORMAT, keep the old
reader, add a bundle of the old format to the tests.
"""

from __future__ import annotations

import msgspec

from modelwright.schema.columns import Column, Scalar, TableSchema
from modelwright.schema.metrics import Metric, Parity, Task

FORMAT = 1
MANIFEST = "manifest.json"
SCHEMA = "schema.json"
ENCODING = "encoding.json"
REFERENCE = "reference.json"
DERIVE = "derive.py"
EXAMPLE = "example.json"
BACKGROUND = "background.json"


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns are looked up.

    Attributes:
        key: The column of a request by whose value they are found.
        columns: They, as the training data had them.
    """

    key: str
    columns: tuple[Column, ...]


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model of a bundle.

    Attributes:
        name: Its name; "model" where the project has one model.
        task: What it does.
        file: Its graph's file name in the bundle.
        estimator: Name of the candidate that won.
        target: The column it learned to predict; empty for clustering.
        labels: Classification: the target's values, in the order of ``probabilities``.
        label_names: What people call them, same order.
        threshold: Binary classification: the second label is answered from this probability on;
            ``None`` means the most probable label.
        metrics: Quality on the held-out rows.
        parity: Proof that the graph answers as the trained model did.
    """

    name: str
    task: Task
    file: str
    estimator: str
    target: str = ""
    labels: tuple[Scalar, ...] = ()
    label_names: tuple[str, ...] = ()
    threshold: float | None = None
    metrics: dict[str, Metric] = {}
    parity: Parity


class BundleSchema(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Attributes:
    inputs: The columns a client sends.
    features: The columns the models see: the same, unless the project has a ``derive`` or looks up.
    lookup: The columns that are looked up, if any are.
    """

    inputs: TableSchema
    features: TableSchema
    lookup: Lookup | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says of itself.

    Attributes:
        format: Bundle format number.
        project: Project name.
        version: Registered version number.
        task: Task of the first model.
        models: Its models, the first one first.
        dataset_md5: DVC's content hash of the training data.
        git_commit: Commit of the project at training, empty outside git.
        run_id: MLflow run, empty if untracked.
        created: RFC 3339 time of writing, UTC.
        libraries: Versions of the libraries that trained and exported it.
        files: sha256 of every other file, by name.
        content_hash: sha256 over what determines the answers (every file's hash, models, dataset
            md5, format): the same data, project file and lock give the same content hash, whatever
            the time, run or version number.
        seal: sha256 of manifest.json itself, taken with this field's value as 64 zeros, so that a
            damaged byte of the manifest shows too.
    """

    format: int
    project: str
    version: int
    task: Task
    models: tuple[ModelEntry, ...]
    dataset_md5: str
    git_commit: str = ""
    run_id: str = ""
    created: str
    libraries: dict[str, str]
    files: dict[str, str]
    content_hash: str
    seal: str = ""
