"""Sentence encoders: the tokeniser, given graphs, and what becomes of a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from modelwright.bundle.encode import Encoder
from modelwright.bundle.given import EncoderInvalid
from modelwright.bundle.graph import FLOAT, INT64, STRING, Graph
from modelwright.bundle.sentence_fit import given_sentence_encoder
from modelwright.bundle.wordpiece import WordPiece
from modelwright.schema.columns import Column, Kind, TableSchema

PIECES = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "un",
    "##aff",
    "##able",
    "naive",
    "!",
    "机",
    "the",
    "##s",
    "cat",
)
INT32 = TensorProto.INT32
TOKENISER = WordPiece(vocabulary=PIECES)


def pieces(text: str, tokeniser: WordPiece = TOKENISER) -> list[str]:
    """A text's pieces as words."""
    return [tokeniser.vocabulary[number] for number in tokeniser.encode(text)]


def test_words_are_cut_into_the_longest_known_pieces() -> None:
    """The paper's own example; what has no pieces is unknown as a whole."""
    assert pieces("unaffable") == ["[CLS]", "un", "##aff", "##able", "[SEP]"]
    assert pieces("The CATS, dogs!") == ["[CLS]", "the", "cat", "##s", "[UNK]", "[UNK]", "!", "[SEP]"]
    assert pieces("x" * 200) == ["[CLS]", "[UNK]", "[SEP]"]


def test_accents_controls_and_ideographs() -> None:
    """Accents fall, controls vanish, each ideograph stands alone, odd spaces part words."""
    assert pieces("NAÏVE\u0000\u00a0机机\u200bcat") == ["[CLS]", "naive", "机", "机", "cat", "[SEP]"]
    assert pieces("") == ["[CLS]", "[SEP]"]
    assert TOKENISER.words("ΑΣ naïve-Straße") == ["ασ", "naive", "-", "straße"]


def test_long_texts_are_cut_at_the_end() -> None:
    """Never more tokens than the encoder takes, and always both marks."""
    short = WordPiece(vocabulary=PIECES, longest=5)
    assert pieces("cats cats cats cats", short) == ["[CLS]", "cat", "##s", "cat", "[SEP]"]


@given(st.text(max_size=300))
def test_any_text_has_numbers(text: str) -> None:
    """Nothing a client sends breaks the tokeniser."""
    numbers = TOKENISER.encode(text)
    assert 2 <= len(numbers) <= TOKENISER.longest and all(0 <= one < len(PIECES) for one in numbers)


def piece_encoder(path: Path, *, averaged: bool = False, element: int = INT64, positions: int = 0) -> Path:
    """A graph that looks each piece up in a table of numbers, one output a token or one a text."""
    graph = Graph()
    numbers = graph.input("input_ids", element, ["n", "tokens"])
    mask = graph.input("attention_mask", element, ["n", "tokens"])
    table = np.random.default_rng(0).normal(size=(len(PIECES), 4)).astype(np.float32)
    found = graph.add("Gather", graph.const(table), numbers, axis=0)
    weight = graph.cast(graph.add("Unsqueeze", mask, graph.const([2], np.int64)), FLOAT)
    found = graph.add("Mul", found, weight)
    if positions:  # as encoders that number the places of tokens do
        places = graph.add("Gather", graph.add("Shape", numbers), graph.const(1, np.int64), axis=0)
        every = graph.add("Range", graph.const(0, np.int64), places, graph.const(1, np.int64))
        zeros = graph.const(np.zeros((positions, 4), np.float32))
        found = graph.add("Add", found, graph.add("Gather", zeros, every, axis=0))
    if averaged:
        found = graph.add("ReduceMean", found, axes=[1], keepdims=0)
    graph.output(found, "features", FLOAT, ["n", 4] if averaged else ["n", "tokens", 4])
    path.write_bytes(graph.build())
    path.with_name("vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return path


def string_encoder(path: Path) -> Path:
    """A graph that takes the text itself."""
    graph = Graph()
    text = graph.input("text", STRING, ["n"])
    known = graph.add(
        "LabelEncoder",
        text,
        domain="ai.onnx.ml",
        keys_strings=[b"mug", b"watch"],
        values_floats=np.array([3.0, 4.0]),
        default_float=1.0,
    )
    column = graph.add("Unsqueeze", known, graph.const([1], np.int64))
    graph.output(graph.concat([column, graph.add("Neg", column)]), "features", FLOAT, ["n", 2])
    path.write_bytes(graph.build())
    return path


def test_tokens_are_averaged_and_brought_to_unit_length(tmp_path: Path) -> None:
    """One output a token or one a text: the same features."""
    (tmp_path / "a").mkdir()
    by_token = given_sentence_encoder("title", piece_encoder(tmp_path / "one.onnx"))
    by_text = given_sentence_encoder("title", piece_encoder(tmp_path / "a" / "two.onnx", averaged=True))
    features = by_token.features("the cats!")
    np.testing.assert_allclose(features, by_text.features("the cats!"), atol=1e-6)
    assert features.shape == (4,) and abs(float(np.linalg.norm(features)) - 1) < 1e-6
    assert by_token.column.width == 4 and by_token.column.file != by_text.column.file


def test_a_graph_may_take_the_text_itself(tmp_path: Path) -> None:
    """Then no vocabulary is needed."""
    runner = given_sentence_encoder("title", string_encoder(tmp_path / "own.onnx"))
    assert runner.column.tokeniser is None and runner.column.width == 2
    np.testing.assert_allclose(runner.features("mug"), [np.sqrt(0.5), -np.sqrt(0.5)], atol=1e-6)


def test_a_tokenizer_json_is_read(tmp_path: Path) -> None:
    """The file of the usual library, where its model is WordPiece."""
    path = piece_encoder(tmp_path / "one.onnx")
    path.with_name("vocab.txt").unlink()
    document = {
        "truncation": {"max_length": 128},
        "normalizer": {"type": "BertNormalizer", "lowercase": True},
        "model": {"type": "WordPiece", "vocab": {piece: place for place, piece in enumerate(PIECES)}},
    }
    path.with_name("tokenizer.json").write_text(json.dumps(document))
    tokeniser = given_sentence_encoder("title", path).column.tokeniser
    assert tokeniser is not None and tokeniser.vocabulary == PIECES and tokeniser.longest == 128


def test_files_beside_the_vocabulary_are_read(tmp_path: Path) -> None:
    """How many tokens are looked at, and whether upper case matters."""
    path = piece_encoder(tmp_path / "one.onnx")
    path.with_name("sentence_bert_config.json").write_text('{"max_seq_length": 12, "do_lower_case": false}')
    path.with_name("tokenizer_config.json").write_text('{"do_lower_case": false}')
    tokeniser = given_sentence_encoder("title", path).column.tokeniser
    assert tokeniser is not None and (tokeniser.longest, tokeniser.lower) == (12, False)
    path.with_name("tokenizer_config.json").write_text("{not json")
    with pytest.raises(EncoderInvalid, match="not understood"):
        given_sentence_encoder("title", path)


def test_an_encoder_of_few_tokens_is_found_out(tmp_path: Path) -> None:
    """A short text goes through it; the longest one that may come does not, and is tried before training."""
    path = piece_encoder(tmp_path / "one.onnx", positions=32)
    with pytest.raises(EncoderInvalid, match="fails on a text as long as it may be"):
        given_sentence_encoder("title", path)
    path.with_name("sentence_bert_config.json").write_text('{"max_seq_length": 32}')
    assert given_sentence_encoder("title", path).column.width == 4


def test_numbers_may_be_of_32_bits(tmp_path: Path) -> None:
    """Some exports take int32; features are the same."""
    (tmp_path / "a").mkdir()
    wide = given_sentence_encoder("title", piece_encoder(tmp_path / "wide.onnx"))
    narrow = given_sentence_encoder("title", piece_encoder(tmp_path / "a" / "narrow.onnx", element=INT32))
    assert narrow.column.element == "int32"
    np.testing.assert_array_equal(wide.features("the cats!"), narrow.features("the cats!"))


def test_columns_and_bundles_share_an_encoder(tmp_path: Path) -> None:
    """One session for the same bytes; it goes with the last that uses it, and bytes are not kept."""
    schema = TableSchema(columns=tuple(Column(name=name, kind=Kind.TEXT) for name in ("title", "more")))
    path = piece_encoder(tmp_path / "one.onnx")
    runners = [given_sentence_encoder(name, path) for name in ("title", "more")]
    columns = {name: np.array(["the cat"], dtype=object) for name in ("title", "more")}
    encoder = Encoder.fit(schema, columns, runners=runners)
    again = msgspec.json.decode(msgspec.json.encode(encoder), type=Encoder)
    again.equip_from(encoder.graphs)
    sessions = [each._session for each in (*runners, *again._runners.values())]
    assert all(session is sessions[0] for session in sessions)
    assert set(again.graphs.values()) == {b""}


def test_training_serving_and_a_saved_encoder_agree(tmp_path: Path) -> None:
    """A missing text is zeros; the JSON form with the graph's bytes gives the same numbers."""
    schema = TableSchema(columns=(Column(name="title", kind=Kind.TEXT, nullable=True),))
    columns = {"title": np.array(["the cat", "", "unaffable!"], dtype=object)}
    runner = given_sentence_encoder("title", piece_encoder(tmp_path / "one.onnx"))
    encoder = Encoder.fit(schema, columns, runners=[runner])
    packed = encoder.transform(columns)
    assert packed.images is not None and packed.text is None and (packed.images[1] == 0).all()
    numbers, _ = encoder.transform_dense(columns)
    np.testing.assert_array_equal(numbers, packed.images)
    again = msgspec.json.decode(msgspec.json.encode(encoder), type=Encoder)
    again.equip_from(encoder.graphs)
    np.testing.assert_array_equal(again.transform_dense(columns)[0], numbers)
    (block,) = encoder.blocks
    assert block.kind is Kind.TEXT and (block.start, block.stop) == (0, 4)


def _takes_numbers(path: Path) -> None:
    graph = Graph()
    numbers = graph.input("numbers", FLOAT, ["n", 3])
    graph.output(numbers, "features", FLOAT, ["n", 3])
    path.write_bytes(graph.build())


def _no_vocabulary(path: Path) -> None:
    piece_encoder(path).with_name("vocab.txt").unlink()


def _poor_vocabulary(path: Path) -> None:
    piece_encoder(path).with_name("vocab.txt").write_text("the\ncat\n")


def _other_tokeniser(path: Path) -> None:
    piece_encoder(path).with_name("vocab.txt").unlink()
    path.with_name("tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": {}}}))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda path: path, "cannot be read"),
        (lambda path: path.write_bytes(b"no"), "no valid ONNX model"),
        (_takes_numbers, "does not take texts"),
        (_no_vocabulary, "no vocabulary lies beside it"),
        (_poor_vocabulary, "lacks [UNK], [CLS] or [SEP]"),
        (_other_tokeniser, "is not understood"),
    ],
)
def test_an_unusable_encoder_is_told_with_its_column(tmp_path: Path, made: Any, words: str) -> None:
    """Each mistake is a sentence that names the column."""
    path = tmp_path / "own.onnx"
    made(path)
    with pytest.raises(EncoderInvalid) as told:
        given_sentence_encoder("title", path)
    assert words in told.value.reason and "'title'" in told.value.reason and told.value.instruction


def test_the_element_types_are_onnx_own() -> None:
    """What the checks compare with is what the format says."""
    assert (STRING, INT64, FLOAT) == (TensorProto.STRING, TensorProto.INT64, onnx.TensorProto.FLOAT)
