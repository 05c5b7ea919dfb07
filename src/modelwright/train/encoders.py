"""The encoder of a part's columns, fitted as its project file wishes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from modelwright.bundle.encode import ColumnArrays, Encoder
from modelwright.bundle.images import ImageRunner
from modelwright.bundle.pictures import Picture
from modelwright.bundle.sentences import SentenceRunner
from modelwright.bundle.text import TextSettings
from modelwright.project.durations import seconds
from modelwright.project.load import Project
from modelwright.project.model import Feature
from modelwright.schema.columns import Kind, TableSchema
from modelwright.train.catalogue import available_cores
from modelwright.train.parts import Part
from modelwright.train.progress import Progress, Stage

_TOLD = 10  # parts in which a long training is told of


@dataclass(frozen=True)
class Goal:
    """What the part's models learn.

    Attributes:
        target: Label indices or values of the training rows; ``None`` for clustering.
        classes: How many labels there are; 0 for a regression.
    """

    target: np.ndarray | None
    classes: int


def fit_encoder(  # noqa: PLR0917 - what a part is made of
    schema: TableSchema, train: ColumnArrays, goal: Goal, part: Part, project: Project, progress: Progress
) -> Encoder:
    """Fit the encoder of the feature columns on training rows.

    Args:
        schema: The feature columns.
        train: Their training rows.
        goal: What an encoder that is trained here learns from.
        part: What its project file says of them.
        project: Where paths of encoders start.
        progress: Is told how a training of an encoder goes.

    Raises:
        EncoderInvalid: An encoder given as an ONNX file cannot be used.
        EncoderNotTrained: One that is trained here cannot be.
        MissingExtra: There are images, and Pillow is not installed; or PyTorch, where it is needed.
    """
    return Encoder.fit(
        schema,
        train,
        text={name: _text(feature) for name, feature in part.features.items()},
        runners=[
            *_image_runners(schema, train, goal, part, project, progress),
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


def _image_runners(  # noqa: PLR0917 - as ``fit_encoder`` has them
    schema: TableSchema, train: ColumnArrays, goal: Goal, part: Part, project: Project, progress: Progress
) -> list[ImageRunner]:
    columns = [column.name for column in schema if column.kind is Kind.IMAGE]
    if not columns:
        return []
    # Imported here: it takes ONNX's own library, which projects without images load later or never.
    from modelwright.bundle.image_fit import fit_built_in, given_encoder

    found: list[ImageRunner | None] = []
    for name in columns:
        feature = part.features.get(name, Feature())
        if feature.encoder_file is not None:
            found.append(given_encoder(name, project.resolve(feature.encoder_file)))
            continue
        with threadpool_limits(limits=1):  # sums of several threads depend on how many there are
            if feature.encoder_training is not None:
                found.append(_trained(name, train[name].tolist(), goal, part, progress))
            else:
                found.append(fit_built_in(name, train[name].tolist(), seed=part.data.split.seed))
    return [runner for runner in found if runner is not None]


def _trained(
    name: str, pictures: list[Picture | str], goal: Goal, part: Part, progress: Progress
) -> ImageRunner:
    """An encoder trained on the training rows' pictures."""
    from modelwright.train.vision.learn import EncoderNotTrained, Wish, train_encoder

    training = part.features[name].encoder_training
    assert training is not None  # noqa: S101 - the caller looked
    if goal.target is None:
        raise EncoderNotTrained(
            f"The encoder of '{name}' cannot be trained: a clustering has no target to learn from.",
            "Leave out 'encoder: train', or give an encoder as an ONNX file.",
        )
    shown = -1

    def told(done: int, epochs: int) -> None:
        nonlocal shown
        if done * _TOLD // epochs != shown:
            shown = done * _TOLD // epochs
            progress.stage(
                Stage.ENCODE, f"(training the image encoder of '{name}': {100 * done // epochs} %)"
            )

    wish = Wish(
        name=name,
        target=goal.target,
        classes=goal.classes,
        seed=part.data.split.seed,
        epochs=training.epochs,
        seconds=seconds(training.time),
        cores=available_cores(),
    )
    found = train_encoder(pictures, wish, told)
    for note in found.notes:
        progress.note(note)
    return found.runner


def _sentence_runners(schema: TableSchema, part: Part, project: Project) -> list[SentenceRunner]:
    found = []
    for column in schema:
        path = part.features.get(column.name, Feature()).encoder_file
        if column.kind is Kind.TEXT and path is not None:
            # Imported here for the same reason.
            from modelwright.bundle.sentence_fit import given_sentence_encoder

            found.append(given_sentence_encoder(column.name, project.resolve(path)))
    return found
