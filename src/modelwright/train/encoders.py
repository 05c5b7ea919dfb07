"""The encoder of a part's columns, fitted as its project file wishes."""

from __future__ import annotations

import msgspec
from threadpoolctl import threadpool_limits

from modelwright.bundle.encode import ColumnArrays, Encoder
from modelwright.bundle.images import ImageRunner
from modelwright.bundle.sentences import SentenceRunner
from modelwright.bundle.text import TextSettings
from modelwright.project.load import Project
from modelwright.project.model import Feature
from modelwright.schema.columns import Kind, TableSchema
from modelwright.train.parts import Part


def fit_encoder(schema: TableSchema, train: ColumnArrays, part: Part, project: Project) -> Encoder:
    """Fit the encoder of the feature columns on training rows.

    Args:
        schema: The feature columns.
        train: Their training rows.
        part: What its project file says of them.
        project: Where paths of encoders start.

    Raises:
        EncoderInvalid: An encoder given as an ONNX file cannot be used.
        MissingExtra: There are images, and Pillow is not installed.
    """
    return Encoder.fit(
        schema,
        train,
        text={name: _text(feature) for name, feature in part.features.items()},
        runners=[
            *_image_runners(schema, train, part, project),
            *_sentence_runners(schema, part, project),
        ],
    )


def _text(feature: Feature) -> TextSettings:
    """How a text column is cut, where the project file says so."""
    wished = {"words": feature.words, "chars": feature.chars, "max_features": feature.terms}
    settings = TextSettings()
    return msgspec.structs.replace(
        settings, **{key: value for key, value in wished.items() if value is not None}
    )


def _image_runners(
    schema: TableSchema, train: ColumnArrays, part: Part, project: Project
) -> list[ImageRunner]:
    columns = [column.name for column in schema if column.kind is Kind.IMAGE]
    if not columns:
        return []
    # Imported here: it takes ONNX's own library, which projects without images load later or never.
    from modelwright.bundle.image_fit import fit_built_in, given_encoder

    found: list[ImageRunner | None] = []
    for name in columns:
        path = part.features.get(name, Feature()).encoder
        if path is not None:
            found.append(given_encoder(name, project.resolve(path)))
            continue
        with threadpool_limits(limits=1):  # sums of several threads depend on how many there are
            found.append(fit_built_in(name, train[name].tolist(), seed=part.data.split.seed))
    return [runner for runner in found if runner is not None]


def _sentence_runners(schema: TableSchema, part: Part, project: Project) -> list[SentenceRunner]:
    found = []
    for column in schema:
        path = part.features.get(column.name, Feature()).encoder
        if column.kind is Kind.TEXT and path is not None:
            # Imported here for the same reason.
            from modelwright.bundle.sentence_fit import given_sentence_encoder

            found.append(given_sentence_encoder(column.name, project.resolve(path)))
    return found
