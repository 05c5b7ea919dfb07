"""Image encoders: the built-in one, given ones, and how features come into a model's matrix."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image, ImageDraw

from modelwright.bundle.encode import Encoder
from modelwright.bundle.given import EncoderInvalid
from modelwright.bundle.graph import FLOAT, Graph
from modelwright.bundle.image_fit import FEATURES, fit_built_in, given_encoder
from modelwright.bundle.image_graph import SIDE, descriptor_width, encoder_graph
from modelwright.bundle.images import PIXELS, ImageColumn, ImageRunner
from modelwright.bundle.pictures import Picture
from modelwright.bundle.preprocess import Preprocessor, Recipe
from modelwright.schema.columns import Column, Kind, TableSchema


def picture(seed: int, size: tuple[int, int] = (60, 80)) -> Picture:
    """A picture of a few shapes."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = rng.integers(0, 40, 2)
        draw.rectangle([x, y, x + 20, y + 15], tuple(rng.integers(0, 255, 3).tolist()))
    out = io.BytesIO()
    image.save(out, "PNG")
    return Picture.sent(out.getvalue())


def describing() -> ImageRunner:
    """The built-in encoder without its projection."""
    return ImageRunner(ImageColumn("photo", "f", PIXELS, descriptor_width(), (SIDE, SIDE)), encoder_graph())


def test_the_descriptor_has_the_width_it_says_and_is_finite() -> None:
    """Also for a picture of one colour, which has no gradient at all."""
    plain = io.BytesIO()
    Image.new("RGB", (10, 10), "white").save(plain, "PNG")
    for one in (picture(1), Picture.sent(plain.getvalue())):
        features = describing().encode(one)
        assert features.shape == (descriptor_width(),) and np.isfinite(features).all()
        assert np.abs(features).sum() > 0


def test_it_tells_direction_and_colour_apart() -> None:
    """Stripes across and stripes down differ in shape, red and blue in colour, and only there."""

    def striped(turned: bool, colour: str) -> np.ndarray:
        image = Image.new("RGB", (96, 96), "white")
        draw = ImageDraw.Draw(image)
        for start in range(4, 96, 16):
            draw.rectangle([start, 0, start + 7, 95] if turned else [0, start, 95, start + 7], colour)
        out = io.BytesIO()
        image.save(out, "PNG")
        return describing().encode(Picture.sent(out.getvalue()))

    shape = 18 * (SIDE // 8) ** 2
    down, across, blue = striped(True, "red"), striped(False, "red"), striped(True, "blue")
    assert np.dot(down[:shape], across[:shape]) < 0.3 < 0.9 < np.dot(down[:shape], blue[:shape])
    assert np.dot(down[shape:], across[shape:]) > np.dot(down[shape:], blue[shape:])


def test_the_projection_is_the_same_each_time_and_bounded() -> None:
    """The same pictures give the same bytes; few pictures give few features."""
    pictures = [picture(seed) for seed in range(12)]
    one, other = (fit_built_in("photo", pictures, seed=0) for _ in range(2))
    assert one is not None and other is not None
    assert one.graph == other.graph and one.column == other.column
    assert one.column.width == 11 <= FEATURES
    assert one.column.file.startswith("encoder-") and one.column.file.endswith(".onnx")


def test_too_few_pictures_give_no_encoder() -> None:
    """A column without pictures is left out, with a reason."""
    assert fit_built_in("photo", ["", picture(1), ""], seed=0) is None
    schema = TableSchema(columns=(Column(name="photo", kind=Kind.IMAGE),))
    encoder = Encoder.fit(schema, {"photo": np.array(["", ""], dtype=object)})
    assert encoder.ignored == {"photo": "it has no image encoder"}


def fitted(count: int = 10) -> tuple[Encoder, dict[str, np.ndarray]]:
    """An encoder of words, a number and a picture, and the rows it was fitted on."""
    cells = np.empty(count, dtype=object)
    cells[:] = [picture(seed) if seed % 3 else "" for seed in range(count)]
    columns = {
        "price": np.arange(count, dtype=np.float64),
        "photo": cells,
        "title": np.array([f"word{seed % 2} other" for seed in range(count)], dtype=object),
    }
    schema = TableSchema(
        columns=(
            Column(name="price", kind=Kind.NUMERIC),
            Column(name="photo", kind=Kind.IMAGE, nullable=True),
            Column(name="title", kind=Kind.TEXT),
        )
    )
    runner = fit_built_in("photo", cells.tolist(), seed=0)
    assert runner is not None
    return Encoder.fit(schema, columns, runners=[runner]), columns


def test_training_and_serving_see_the_same_numbers() -> None:
    """The sparse form, the dense form and the matrix agree; a missing picture is a row of zeros."""
    encoder, columns = fitted()
    packed = encoder.transform(columns)
    numbers, strings = encoder.transform_dense(columns)
    assert packed.text is not None and packed.images is not None
    np.testing.assert_array_equal(numbers, np.hstack([packed.numbers, packed.text.dense(), packed.images]))
    assert strings.shape == (10, 0)
    assert (packed.images[0] == 0).all() and (packed.images[1] != 0).any()
    preprocessor = Preprocessor.fit(packed, Recipe())
    matrix: Any = preprocessor.transform(packed)
    assert matrix.shape[1] == len(preprocessor.feature_names)
    np.testing.assert_array_equal(matrix.toarray()[:, -encoder.image_width :], packed.images)
    start = preprocessor.passed_start
    assert matrix[:, start:].shape[1] == encoder.text_width + encoder.image_width


def test_blocks_say_which_numbers_are_whose() -> None:
    """The places of words and pictures among the numbers."""
    encoder, _ = fitted()
    words, pictures = encoder.blocks
    assert (words.column, words.kind, pictures.column, pictures.kind) == (
        "title", Kind.TEXT, "photo", Kind.IMAGE,
    )  # fmt: skip
    assert words.start == 1 and words.stop == pictures.start and pictures.stop == len(encoder.number_names)
    assert encoder.number_names[pictures.start] == "photo~0"


def test_without_text_the_matrix_is_dense() -> None:
    """A table of numbers and pictures stays an ordinary array."""
    encoder, columns = fitted()
    packed = encoder.transform(columns)
    packed.text = None
    matrix = Preprocessor.fit(packed, Recipe()).transform(packed)
    assert isinstance(matrix, np.ndarray) and matrix.shape == (10, 1 + encoder.image_width)


def write_encoder(
    path: Path,
    *,
    shape: tuple[Any, ...] = ("n", 3, 16, 24),
    element: int = TensorProto.FLOAT,
    about: dict[str, Any] | None = None,
    domain: str = "",
) -> Path:
    """An encoder that gives the mean of each colour."""
    graph = Graph()
    pixels = graph.input("photo in", element, list(shape))
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    means = graph.add("ReduceMean", graph.cast(pixels, FLOAT), axes=axes, keepdims=0)
    graph.output(means, "means", FLOAT, ["n", 3])
    model = onnx.load_model_from_string(graph.build())
    if about is not None:
        helper.set_model_props(model, {"modelwright": json.dumps(about)})
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("shape", "element"),
    [
        (("n", 3, 16, 24), TensorProto.FLOAT),
        ((1, 16, 24, 3), TensorProto.UINT8),
        (("n", "h", "w", 3), TensorProto.FLOAT),
    ],
)
def test_a_given_encoder_gets_the_pixels_it_asks_for(
    tmp_path: Path, shape: tuple[Any, ...], element: int
) -> None:
    """Colours first or last, bytes or fractions, a fixed size or any."""
    path = write_encoder(tmp_path / "own.onnx", shape=shape, element=element)
    runner = given_encoder("photo", path)
    out = io.BytesIO()
    Image.new("RGB", (30, 30), (255, 128, 0)).save(out, "PNG")
    features = runner.features(Picture.sent(out.getvalue()))
    scale = 255 if element == TensorProto.UINT8 else 1
    np.testing.assert_allclose(features, np.array([255, 128, 0]) / 255 * scale, atol=0.01 * scale)
    assert runner.column.width == 3 and "own.onnx" in runner.column.source
    assert runner.column.size == ((16, 24) if shape[1] != "h" else (224, 224))


def test_metadata_says_what_onnx_has_no_place_for(tmp_path: Path) -> None:
    """Mean, deviation and how a picture is fitted come from the file itself."""
    about = {"fit": "pad", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    runner = given_encoder("photo", write_encoder(tmp_path / "own.onnx", about=about))
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "white").save(out, "PNG")
    assert runner.column.fit == "pad"
    np.testing.assert_allclose(runner.features(Picture.sent(out.getvalue())), [2.0, 2.0, 2.0], atol=1e-5)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda path: path, "cannot be read"),
        (lambda path: path.write_bytes(b"no onnx"), "no valid ONNX model"),
        (lambda path: write_encoder(path, shape=("n", 4, 16, 16)), "does not take pictures"),
        (lambda path: write_encoder(path, element=TensorProto.INT64), "does not take pictures"),
        (lambda path: write_encoder(path, about={"fit": "squeeze"}), "metadata 'modelwright'"),
        (lambda path: write_encoder(path, about={"mean": [1, 2]}), "metadata 'modelwright'"),
        (lambda path: write_encoder(path, domain="com.example"), "needs operators of"),
    ],
)
def test_an_unusable_encoder_is_told_with_its_column(tmp_path: Path, made: Any, words: str) -> None:
    """Each mistake is a sentence that names the column and the file."""
    path = tmp_path / "own.onnx"
    made(path)
    with pytest.raises(EncoderInvalid) as told:
        given_encoder("photo", path)
    assert words in told.value.reason and "photo" in told.value.reason
    assert told.value.instruction
