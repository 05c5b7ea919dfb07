"""A sentence encoder given as an ONNX file, checked and tried. Training side only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import msgspec
import onnx

from modelwright.bundle.given import (
    EncoderInvalid,
    check_features,
    file_name,
    given_graph,
    plain_inputs,
    shapes,
)
from modelwright.bundle.sentences import SentenceColumn, SentenceRunner
from modelwright.bundle.wordpiece import WordPiece
from modelwright.errors import ModelwrightError

_ELEMENTS: dict[int, Literal["int64", "int32"]] = {
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.INT32: "int32",
}
_PIECES = {"input_ids", "attention_mask", "token_type_ids"}
_VOCABULARIES = ("vocab.txt", "tokenizer.json")
_LONGEST = 256
_FEWEST, _MOST = 8, 8_192
_TRIED = "A text of a few words, naïve ones too."


def given_sentence_encoder(name: str, path: Path) -> SentenceRunner:
    """A sentence encoder given as an ONNX file, for the text column ``name``.

    Its graph takes the text itself (one string tensor [n]), or ``input_ids`` and what belongs to them;
    then the vocabulary lies beside it: ``vocab.txt`` (a piece a line), or a ``tokenizer.json`` of the
    WordPiece kind. Where ``sentence_bert_config.json`` and ``tokenizer_config.json`` lie there as well, they
    say how many tokens are looked at and whether upper case matters.

    Raises:
        EncoderInvalid: The file or its vocabulary is absent, damaged or of another kind.
    """
    graph, model = given_graph(name, path)
    inputs = plain_inputs(model)
    names = tuple(entry.name for entry in inputs)
    tokeniser = None
    elements = {_ELEMENTS.get(entry.type.tensor_type.elem_type) for entry in inputs}
    element = elements.pop() if len(elements) == 1 else None
    if "input_ids" in names and set(names) <= _PIECES and element is not None:
        tokeniser = _tokeniser(name, path)
    elif len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != onnx.TensorProto.STRING:
        raise EncoderInvalid(
            f"The encoder of '{name}', {path.name}, does not take texts: its inputs are {shapes(inputs)}.",
            "It must take one string tensor [n], or input_ids with attention_mask and token_type_ids.",
        )
    column = SentenceColumn(
        name=name,
        file="",
        inputs=names,
        width=0,
        tokeniser=tokeniser,
        source=f"the encoder {path.name}",
        element=element or "int64",
    )
    return _tried(column, graph, path)


def _tokeniser(name: str, path: Path) -> WordPiece:
    """The vocabulary beside the encoder."""
    for file in (path.with_name(each) for each in _VOCABULARIES):
        if not file.is_file():
            continue
        try:
            found = _told(_from_lines(file) if file.suffix == ".txt" else _from_json(file), file.parent)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise EncoderInvalid(
                f"The vocabulary {file.name} of the encoder of '{name}' is not understood: {error!r:.200}",
                "It must be a vocab.txt, or a tokenizer.json whose model is of the type WordPiece.",
            ) from error
        if not found.complete:
            raise EncoderInvalid(
                f"The vocabulary {file.name} of the encoder of '{name}' lacks [UNK], [CLS] or [SEP].",
                "Give the vocabulary that the encoder was trained with.",
            )
        return found
    raise EncoderInvalid(
        f"The encoder of '{name}', {path.name}, takes numbers of pieces, and no vocabulary lies beside it.",
        f"Put its {_VOCABULARIES[0]} or {_VOCABULARIES[1]} into {path.parent}.",
    )


def _told(tokeniser: WordPiece, folder: Path) -> WordPiece:
    """The tokeniser as the files that usually lie beside a vocabulary describe it."""
    changes: dict[str, Any] = {}
    if isinstance(lower := _setting(folder / "tokenizer_config.json", "do_lower_case"), bool):
        changes["lower"] = lower
    if isinstance(longest := _setting(folder / "sentence_bert_config.json", "max_seq_length"), int):
        changes["longest"] = max(_FEWEST, min(longest, _MOST))
    return msgspec.structs.replace(tokeniser, **changes)


def _setting(file: Path, name: str) -> object:
    return json.loads(file.read_bytes()).get(name) if file.is_file() else None


def _from_lines(file: Path) -> WordPiece:
    return WordPiece(vocabulary=tuple(file.read_text(encoding="utf-8").rstrip("\n").split("\n")))


def _from_json(file: Path) -> WordPiece:
    document: Any = json.loads(file.read_bytes())
    model = document["model"]
    if model.get("type", "WordPiece") != "WordPiece" or model.get("continuing_subword_prefix", "##") != "##":
        raise ValueError(f"its model is of the type {model.get('type')}")
    numbers: dict[str, int] = model["vocab"]
    pieces = sorted(numbers, key=numbers.__getitem__)
    if [numbers[piece] for piece in pieces] != list(range(len(pieces))):
        raise ValueError("its numbers have gaps")
    normalizer = document.get("normalizer") or {}
    longest = int((document.get("truncation") or {}).get("max_length") or _LONGEST)
    return WordPiece(vocabulary=tuple(pieces), lower=bool(normalizer.get("lowercase", True)), longest=longest)


def _tried(column: SentenceColumn, graph: bytes, path: Path) -> SentenceRunner:
    """The encoder once it has encoded a text, which also tells how many features it gives."""
    what = "a short text"
    try:
        trial = SentenceRunner(column, graph)
        features = trial.encode(_TRIED)
        what = "a text as long as it may be"
        trial.encode(_TRIED * (column.tokeniser.longest if column.tokeniser else _LONGEST))
    except ModelwrightError:
        raise
    # ONNX Runtime raises classes of its own making, for loading as for running.
    except Exception as error:
        first = str(error).partition("\n")[0][:200]
        raise EncoderInvalid(
            f"The encoder of '{column.name}', {path.name}, fails on {what}: {first}",
            "Export it with axes for the texts and the tokens that may have any length; how many tokens it "
            'takes at most, sentence_bert_config.json beside it can say: {"max_seq_length": 128}.',
        ) from error
    check_features(column.name, path, features)
    known = msgspec.structs.replace(column, width=len(features), file=file_name(graph))
    runner = SentenceRunner(known, graph)
    runner.remember()
    return runner
