"""What parts of a picture do, and how models of pictures are explained against reference rows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageDraw

from modelwright.bundle import occlusion
from modelwright.bundle.background import Backgrounds, arrays, stored
from modelwright.bundle.encode import Encoder
from modelwright.bundle.explain import explain
from modelwright.bundle.graph import FLOAT, Graph
from modelwright.bundle.image_fit import encoder_of, fit_built_in
from modelwright.bundle.image_graph import SIDE
from modelwright.bundle.images import PIXELS
from modelwright.bundle.occlusion import patch_maps
from modelwright.bundle.pictures import Picture
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.metrics import Task

SCHEMA = TableSchema(
    columns=(
        Column(name="size", kind=Kind.NUMERIC),
        Column(name="photo", kind=Kind.IMAGE, nullable=True),
    )
)


def redness() -> bytes:
    """An encoder of one feature: how red a picture is."""
    graph = Graph()
    pixels = graph.input(PIXELS, 2, ["pictures", SIDE, SIDE, 3])
    mean = graph.add("ReduceMean", graph.cast(pixels, FLOAT), axes=[1, 2], keepdims=0)
    red = graph.columns(mean, 0, 1)
    rest = graph.add("Sub", red, graph.columns(mean, 1, 2))
    graph.output(rest, "features", FLOAT, ["pictures", 1])
    return graph.build()


class Summed:
    """A model that adds up its numbers."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.entry = SimpleNamespace(task=Task.REGRESSION)

    def run(self, numbers: np.ndarray, strings: np.ndarray) -> list[np.ndarray]:
        """As a graph's outputs."""
        del strings
        return [numbers.astype(np.float64).sum(axis=1)]


def drawn(folder: Path, name: str, box: tuple[int, int, int, int]) -> Picture:
    """A white picture, wider than high, with a red box in it; read from a file."""
    image = Image.new("RGB", (160, 80), "white")
    ImageDraw.Draw(image).rectangle(box, "red")
    image.save(folder / f"{name}.png")
    return Picture.stored(folder / f"{name}.png")


def cells(*values: Any) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """A model of a number and of how red a picture is."""
    columns = {"size": np.array([1.0, 2.0]), "photo": cells("", "")}
    encoder = Encoder.fit(SCHEMA, columns, runners=[encoder_of("photo", redness(), 1, "redness")])
    return Summed(encoder)


def test_the_part_that_matters_is_found(model: Any, tmp_path: Path) -> None:
    """Covering the red box loses what it gave; the grid has the picture's shape."""
    row = {"size": np.array([1.0]), "photo": cells(drawn(tmp_path, "right", (120, 0, 159, 39)))}
    (found,) = patch_maps(model, row)
    assert found.column == "photo" and found.effects.shape in {(4, 8), (2, 5), (2, 3)}
    rows, across = found.effects.shape
    place = divmod(int(found.effects.argmax()), across)
    assert place[0] < (rows + 1) // 2 and place[1] >= across * 3 // 4 - 1
    assert found.score == pytest.approx(model.run(*model.encoder.transform_dense(row))[0][0])


def test_a_slow_encoder_gets_a_coarser_grid(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is bounded whatever an encoder costs."""
    monkeypatch.setattr(occlusion, "SECONDS", 0.0)
    row = {"size": np.array([1.0]), "photo": cells(drawn(tmp_path, "right", (120, 0, 159, 39)))}
    assert patch_maps(model, row)[0].effects.shape == (2, 3)


def test_where_no_picture_is_there_is_no_map(model: Any) -> None:
    """Neither for a missing one nor for one of which the name alone is known."""
    for cell in ("", Picture.known("image:sha256=0;bytes=3;type=image/png", {})):
        assert patch_maps(model, {"size": np.array([1.0]), "photo": cells(cell)}) == []


def test_reference_pictures_are_kept_as_their_features(model: Any, tmp_path: Path) -> None:
    """Written and read again they explain the same; a missing one stays missing; sums are exact."""
    seen = [drawn(tmp_path, str(place), (0, 0, 20 * place, 40)) for place in range(1, 5)]
    columns = {"size": np.array([1.0, 2.0, 3.0, 4.0, 5.0]), "photo": cells("", *seen)}
    model.encoder.transform(columns)
    written = msgspec.json.encode(Backgrounds.of({"m": stored(columns, ["size", "photo"])}))
    read = msgspec.json.decode(written, type=Backgrounds)
    assert read.models == {}  # readers that know no pictures find nothing they could misread
    again = arrays(read.pictured["m"])
    assert again["photo"][0] == "" and str(again["photo"][1]) == str(seen[0])
    row = {"size": np.array([2.0]), "photo": cells(drawn(tmp_path, "row", (0, 0, 150, 70)))}
    found = explain(model, row, again)
    assert found.exact and found == explain(model, row, columns)
    assert sum(found.shares.values()) == pytest.approx(found.score - found.base, abs=1e-4)
    assert found.shares["photo"] > 0
    without = explain(model, {"size": np.array([2.0]), "photo": cells("")}, again)
    assert without.shares["photo"] < 0


def test_the_built_in_encoder_is_mapped_too(tmp_path: Path) -> None:
    """A real encoder's features, a real picture: finite effects for each part."""
    seen = [drawn(tmp_path, str(place), (0, 0, 20 * place, 40)) for place in range(1, 6)]
    runner = fit_built_in("photo", seen, seed=0)
    assert runner is not None
    columns = {"size": np.arange(5.0), "photo": cells(*seen)}
    model: Any = Summed(Encoder.fit(SCHEMA, columns, runners=[runner]))
    (found,) = patch_maps(model, columns)
    assert np.isfinite(found.effects).all() and np.abs(found.effects).max() > 0
