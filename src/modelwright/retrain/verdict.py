"""A version's duel: every model of it against the champion's, one word for all, kept as an event."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from modelwright.bundle.read import BundleInvalid, open_bundle
from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.retrain.clusters import judge_clusters
from modelwright.retrain.dataset import Note
from modelwright.retrain.duel import Judgement, Proof, judge
from modelwright.retrain.untouched import Arena, Champion, ClusterArena, arena, cluster_arena
from modelwright.schema.metrics import Task
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord, JobRecord, ReleaseRecord, VersionRecord
from modelwright.train.parts import Part, parts_of
from modelwright.train.prepare import prepare, read
from modelwright.train.progress import Silent
from modelwright.train.versus import NotComparable

DUEL = "duel"
ROWS = "duel_rows"
_LOOKS = 10_000


@dataclass(frozen=True)
class Verdict:
    """What came of a version's duel.

    Attributes:
        promote: Whether it may replace the champion.
        reasons: Why, what decided first.
    """

    promote: bool
    reasons: tuple[str, ...]


def verdict(
    project: Project,
    settings: Settings,
    store: Store,
    *,
    job: JobRecord,
    version: VersionRecord,
    champion: ReleaseRecord,
    note: Note,
) -> Verdict:
    """Let a version meet the champion; a duel that was fought before is not fought again.

    Args:
        project: Over the data that the version was trained on.
        settings: Where bundles and reports lie.
        store: Where the duel and its rows are kept.
        job: The job that trained it.
        version: The challenger.
        champion: The release that answers now.
        note: What the data are made of.

    Raises:
        ModelwrightError: The data cannot be read any more, or the store is away.
    """
    known = _known(store, job, champion)
    if known is not None:
        return Verdict(bool(known.data["promote"]), tuple(known.data["reasons"]))
    look = 1 + sum(
        event.data.get("champion") == champion.version
        for event in store.events.list(project.name, kind=DUEL, limit=_LOOKS)
    )
    judged: dict[str, Judgement] = {}
    rows: dict[str, list[str]] = {}
    try:
        arenas = _arenas(project, settings, store, version=version, champion=champion, note=note)
        for part, found in arenas:
            judged[part.name] = _judged(part, found, project, look=look, models=len(arenas))
            rows[part.name] = list(found.ids)
        clusterings = {part.name for part, _ in arenas if part.task is Task.CLUSTERING}
        word = combined(judged, clusterings)
    except (NotComparable, BundleInvalid) as error:
        reason = error.reason if isinstance(error, BundleInvalid) else str(error)
        word = Verdict(False, (f"It cannot be compared with the champion. {reason}",))
    _keep(store, job, version, champion, word, judged, rows, look)
    return word


def _judged(
    part: Part, found: Arena | ClusterArena, project: Project, *, look: int, models: int
) -> Judgement:
    proof, margin = Proof(project.file.retrain.proof), part.gate.non_inferiority
    if isinstance(found, ClusterArena):
        return judge_clusters(
            found.points, found.challenger, found.champion, margin=margin, look=look, proof=proof
        )
    seed = part.data.split.seed
    return judge(found.sides, margin=margin, look=look, proof=proof, models=models, seed=seed)


def _known(store: Store, job: JobRecord, champion: ReleaseRecord) -> EventRecord | None:
    for event in store.events.list(job.project, kind=DUEL, limit=_LOOKS):
        if event.data.get("job") == job.id and event.data.get("champion") == champion.version:
            return event
    return None


def _arenas(
    project: Project,
    settings: Settings,
    store: Store,
    *,
    version: VersionRecord,
    champion: ReleaseRecord,
    note: Note,
) -> list[tuple[Part, Arena | ClusterArena]]:
    record = store.versions.get(project.name, champion.version)
    assert record is not None  # noqa: S101 - it was released
    meets = Champion(
        open_bundle(settings.work_dir / champion.bundle),
        settings.work_dir / "reports" / f"v{champion.version}",
        record.created,
    )
    challenger = open_bundle(settings.work_dir / version.bundle)
    silent = Silent()
    found: list[tuple[Part, Arena | ClusterArena]] = []
    for part in parts_of(project.file):
        prepared = prepare(read(part.data.source, part, project, silent), part, project, silent)
        meet = cluster_arena if part.task is Task.CLUSTERING else arena
        found.append((part, meet(prepared, challenger, meets, note)))
    return found


def combined(judged: Mapping[str, Judgement], clusterings: Set[str] = frozenset()) -> Verdict:
    """One word for several models that are promoted together.

    At least one must win, and none may be measured worse beyond the margin or harm a group. A clustering
    among models with a truth can only speak against a version: it proves nothing by being as tight.

    Args:
        judged: By model name.
        clusterings: Which of them are clusterings.
    """
    several = len(judged) > 1
    reasons = [
        (result, f"{name}: {reason}" if several else reason)
        for name, result in judged.items()
        for reason in result.reasons
    ]
    proving = judged.keys() - clusterings or judged.keys()
    wins = [result for name, result in judged.items() if result.promote and name in proving]
    bad = [result for result in judged.values() if not result.promote and not _harmless(result)]
    promote = bool(wins) and not bad
    first = [reason for result, reason in reasons if result.promote == promote]
    return Verdict(promote, (*first, *(reason for result, reason in reasons if result.promote != promote)))


def _harmless(result: Judgement) -> bool:
    """Not shown to be better, and not measured worse either."""
    return (
        result.gain is not None
        and result.gain.value >= 0
        and not any(segment.harmed for segment in result.segments)
    )


def _keep(  # noqa: PLR0917 - the parts of one record
    store: Store,
    job: JobRecord,
    version: VersionRecord,
    champion: ReleaseRecord,
    word: Verdict,
    judged: Mapping[str, Judgement],
    rows: Mapping[str, list[str]],
    look: int,
) -> None:
    """The rows first: the event of the duel is what counts, and says that all of it is there."""
    who: dict[str, Any] = {
        "job": job.id,
        "version": version.number,
        "champion": champion.version,
        "champion_release": champion.sequence,
    }
    if rows:
        count = sum(map(len, rows.values()))
        store.events.add(
            job.project,
            ROWS,
            f"The {count:,} rows of version {version.number}'s duel.",
            {**who, "rows": rows},
        )
    outcome = "won" if word.promote else "did not win"
    store.events.add(
        job.project,
        DUEL,
        f"Version {version.number} {outcome} its duel with version {champion.version}. {word.reasons[0]}",
        {
            **who,
            "promote": word.promote,
            "reasons": list(word.reasons),
            "look": look,
            "models": {name: result.numbers() for name, result in judged.items()},
        },
    )
