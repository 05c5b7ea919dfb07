"""The journal: what was appended is read again, whatever happened in between."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.serve.journal.entries import Context, Entry, Note, pack, unpack
from modelwright.serve.journal.frames import HEADER, MAGIC, frame, read_frames, segment_numbers, segment_path
from modelwright.serve.journal.reader import Tail, backlog, journals, owner_is_dead, remove_journal
from modelwright.serve.journal.writer import JournalFailure, JournalWriter

CONTEXT = Context(1, "iris", 1, ("a", "b"))


def entry(id: str, **changes: object) -> Entry:
    """An answered row."""
    made = Entry(1, id, False, 1_000_000, 200, [1.5, None], b'{"prediction":0}', 0.001, "me", "predict")
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def opened(folder: Path, **options: object) -> JournalWriter:
    """A writer that does not wait for the disk, with a context."""
    writer = JournalWriter(folder / "w", sync=False, **options)  # type: ignore[arg-type]
    writer.declare(CONTEXT)
    return writer


def ids(tail: Tail) -> list[str]:
    """What is new, dealt with."""
    found = [item.id for item in tail.peek() if isinstance(item, Entry)]
    tail.advance()
    return found


def test_what_is_appended_is_read_in_order_and_once(tmp_path: Path) -> None:
    """A tail sees each entry once it is written, and not again after it advanced."""
    writer = opened(tmp_path)
    tail = Tail(writer.directory)
    writer.append([entry("1"), entry("2")])
    assert ids(tail) == ["1", "2"]
    assert ids(tail) == []
    writer.append([entry("3")])
    assert [item.id for item in tail.peek()] == ["3"]  # type: ignore[union-attr]
    assert ids(tail) == ["3"], "what was peeked at and not dealt with comes again"
    assert tail.contexts[1] == CONTEXT


def test_every_segment_stands_alone_and_is_removed_when_left(tmp_path: Path) -> None:
    """Segments are bounded, repeat their contexts, and go away only when all of them was dealt with."""
    writer = opened(tmp_path, segment_bytes=600)
    for number in range(30):
        writer.append([entry(str(number))])
    numbers = segment_numbers(writer.directory)
    assert len(numbers) > 3
    for number in numbers:
        first = next(read_frames(segment_path(writer.directory, number)))[0]
        assert CONTEXT in unpack(first)
    tail = Tail(writer.directory, remove=True)
    tail.peek(most=5)
    assert segment_numbers(writer.directory) == numbers
    tail.advance()
    read = 5 + len(ids(tail))
    assert read >= 30
    assert segment_numbers(writer.directory) == numbers[-1:]


def test_a_group_larger_than_a_segment_is_kept_whole(tmp_path: Path) -> None:
    """A batch of any size is one group."""
    writer = opened(tmp_path, segment_bytes=600)
    writer.append([entry(str(number)) for number in range(100)])
    assert len(ids(Tail(writer.directory))) == 100


@given(cut=st.integers(min_value=0, max_value=400))
def test_a_torn_tail_ends_the_reading_and_nothing_before_it_is_lost(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """Cut anywhere, the file gives a prefix of its groups, each whole."""
    groups = [
        pack([CONTEXT]),
        *(pack([entry(f"{number}-{part}") for part in range(2)]) for number in range(4)),
    ]
    content = MAGIC + b"".join(frame(group, 1) for group in groups)
    path = segment_path(tmp_path_factory.mktemp("torn"), 1)
    path.write_bytes(content[: len(content) - cut] + bytes(64))
    found = [payload for payload, _ in read_frames(path)]
    assert found == groups[: len(found)]
    whole = 0
    end = len(MAGIC)
    for group in groups:
        end += HEADER.size + len(group)
        whole += end <= len(content) - cut
    assert len(found) == whole


@given(place=st.integers(min_value=8, max_value=300), bit=st.integers(min_value=0, max_value=7))
def test_a_flipped_bit_is_never_read(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    """A damaged frame and what follows are not read; what comes before is as it was."""
    groups = [pack([entry(str(number))]) for number in range(4)]
    content = bytearray(MAGIC + b"".join(frame(group, 1) for group in groups))
    place = min(place, len(content) - 1)
    content[place] ^= 1 << bit
    path = segment_path(tmp_path_factory.mktemp("bit"), 1)
    path.write_bytes(content)
    found = [payload for payload, _ in read_frames(path)]
    assert found == groups[: len(found)]
    assert len(found) < 4


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_after_a_failure_the_next_append_begins_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A write or a sync that fails is told, its group is not read, and the journal goes on elsewhere."""
    writer = JournalWriter(tmp_path / "w", sync=True)
    writer.declare(CONTEXT)
    writer.append([entry("before")])
    real = getattr(os, call)
    failing = [True]

    def fail(*arguments: object) -> object:
        if failing and (call != "pwrite" or len(arguments[1]) > HEADER.size):  # type: ignore[arg-type]
            failing.clear()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*arguments)

    monkeypatch.setattr(os, call, fail)
    if call == "fdatasync":
        writer._sync = fail  # type: ignore[assignment]
    with pytest.raises(JournalFailure, match="prediction log"):
        writer.append([entry("lost")])
    writer.append([entry("after")])
    assert ids(Tail(writer.directory)) == ["before", "after"]
    assert len(segment_numbers(writer.directory)) == 2


def test_a_full_disk_is_told_and_leaves_no_half_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Space is taken when a segment begins: without it nothing is begun, with it again all is well."""
    writer = opened(tmp_path, segment_bytes=600)
    while len(segment_numbers(writer.directory)) < 2:
        writer.append([entry("x")])
    writer._give_up()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(JournalFailure, match="No space left"):
        writer.append([entry("y")])
    with pytest.raises(JournalFailure):
        writer.probe()
    assert len(segment_numbers(writer.directory)) == 2
    assert not list(writer.directory.glob("*.new"))
    monkeypatch.undo()
    writer.append([entry("z")])
    assert ids(Tail(writer.directory))[-1] == "z"


def test_too_much_undelivered_refuses_until_it_is_delivered(tmp_path: Path) -> None:
    """What waits for the database is bounded."""
    writer = opened(tmp_path, segment_bytes=600, limit_bytes=1800)
    with pytest.raises(JournalFailure, match="waits for the database"):
        for _ in range(100):
            writer.append([entry("x")])
    tail = Tail(writer.directory, remove=True)
    ids(tail)
    writer.append([entry("y")])
    assert "y" in ids(tail)


def test_the_owner_s_death_is_seen_by_its_lock(tmp_path: Path) -> None:
    """A living worker's journal is not taken for a dead one's."""
    writer = opened(tmp_path)
    assert not owner_is_dead(writer.directory)
    writer.close()
    assert owner_is_dead(writer.directory)
    remove_journal(writer.directory)
    assert journals(tmp_path) == []


def test_two_writers_never_share_a_directory(tmp_path: Path) -> None:
    """The second is refused."""
    opened(tmp_path)
    with pytest.raises(JournalFailure):
        JournalWriter(tmp_path / "w")


def test_notes_and_entries_survive_packing() -> None:
    """All kinds of items are what they were."""
    items = [CONTEXT, entry("x", inputs={"a": "ü\0", "b": None}), Note("iris", "kind", "words", {"n": 1})]
    assert unpack(pack(items)) == items


def test_a_file_is_used_again_and_its_old_frames_are_never_read(tmp_path: Path) -> None:
    """Delivered segments' files are written over; what they held before does not come back."""
    writer = opened(tmp_path, segment_bytes=1000)
    tail = Tail(writer.directory, remove=True)
    seen: list[str] = []
    for number in range(200):
        writer.append([entry(str(number))])
        if number % 7 == 0:
            seen += ids(tail)
        assert len(list(writer.directory.glob("*.old"))) <= 2
    seen += ids(tail)
    assert seen == [str(number) for number in range(200)]
    inodes = {path.stat().st_ino for path in writer.directory.iterdir()}
    assert len(inodes) < 8


def test_what_msgpack_has_no_form_for_costs_nobody_the_log() -> None:
    """Huge integers, lone surrogates and deep nesting are put into words; the others stay as they are."""
    deep: object = 1
    for _ in range(5000):
        deep = [deep]
    odd = [10**30, 10**400, "\ud800", deep, {"\ud800": 1}, 2**63]
    packed = unpack(pack([entry(str(place), inputs=[value]) for place, value in enumerate([*odd, 1.5])]))
    found = [item.inputs[0] for item in packed if isinstance(item, Entry)]
    assert found[0] == 1e30
    assert found[1] == "(an integer of many digits)"
    assert found[2] == "?"
    assert found[4] == {"?": 1}
    assert found[6] == 1.5


def test_only_segments_left_behind_wait(tmp_path: Path) -> None:
    """The one that is written to has its full size from its beginning, and tells nothing of what waits."""
    assert backlog(tmp_path / "none") == {"segments": 0, "bytes": 0, "waiting": 0}
    for name, sizes in {"00-a": (4, 4, 4), "01-b": (4,)}.items():
        (tmp_path / name).mkdir()
        for number, size in enumerate(sizes, start=1):
            (tmp_path / name / f"{number:08}.seg").write_bytes(b"x" * size)
    assert backlog(tmp_path) == {"segments": 4, "bytes": 16, "waiting": 8}
