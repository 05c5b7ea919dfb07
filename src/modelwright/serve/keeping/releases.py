"""What should be live, by the store's releases."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.serve.errors import NothingToServe
from modelwright.serve.keeping.stores import Stores
from modelwright.serve.live import Assigned, Challenger, publish
from modelwright.serve.settings import Target
from modelwright.store.records import ReleaseRecord

logger = logging.getLogger(__name__)


class ReleaseWatch:
    """Turns releases into what workers are told.

    Args:
        targets: What is served.
        stores: Where releases stand.
        live: The file that workers watch.
    """

    def __init__(self, targets: Sequence[Target], stores: Stores, live: Path) -> None:
        self._targets = targets
        self._stores = stores
        self._live = live
        self._assigned: dict[str, Assigned] = {}
        self._refused: dict[str, int] = {}

    def first(self) -> tuple[Assigned, ...]:
        """Publish what is live now.

        Raises:
            NothingToServe: A project has no release.
        """
        for target in self._targets:
            self._assigned[target.name] = self._of_target(target)
        return self._publish()

    def look(self) -> bool:
        """Publish newer releases, if there are any; whether there were."""
        changed = False
        for target in self._targets:
            if not target.bundle:
                changed |= self._look_at(target)
        if changed:
            self._publish()
        return changed

    def _look_at(self, target: Target) -> bool:
        release = self._stores.of(target.project).releases.current(target.project)
        known = self._assigned[target.name].sequence
        if release is None or release.sequence in {known, self._refused.get(target.name)}:
            return False
        # Imported here: what is live at the start is verified by the workers, and NumPy takes its time.
        from modelwright.bundle.read import verify

        try:
            assigned = self._of_release(target, release)
            verify(assigned.bundle)
        except ModelwrightError as error:
            if error.code is ExitCode.UNAVAILABLE:  # object storage that is away is asked at the next look
                logger.warning("Version %d of %s is not here yet: %s", release.version, target.project, error)
                return False
            return self._refuse(target, release, error)
        self._assigned[target.name] = assigned
        return True

    def _refuse(self, target: Target, release: ReleaseRecord, error: ModelwrightError) -> bool:
        self._refused[target.name] = release.sequence
        logger.error("Version %d of %s is not taken: %s", release.version, target.project, error)
        self._stores.of(target.project).events.add(
            target.project,
            "release_refused",
            f"Version {release.version} was released and is not served here: {error.reason}"
            f" Version {self._assigned[target.name].version} stays live.",
            {"sequence": release.sequence, "version": release.version},
        )
        return False

    def _of_target(self, target: Target) -> Assigned:
        if target.bundle:
            return Assigned(
                name=target.name, project=target.project, version=target.version, bundle=target.bundle
            )
        release = self._stores.of(target.project).releases.current(target.project)
        if release is None:
            raise NothingToServe(target.project)
        return self._of_release(target, release)

    def _of_release(self, target: Target, release: ReleaseRecord) -> Assigned:
        """What workers are told of a release, its bundle fetched where it is not here."""
        work_dir = Path(target.work_dir)
        _fetch(target, work_dir / release.bundle, release.version)
        return Assigned(
            name=target.name,
            project=target.project,
            version=release.version,
            bundle=str(work_dir / release.bundle),
            content_hash=release.content_hash,
            sequence=release.sequence,
            released=release.released,
            shadow=self._challenger(target, release.settings.get("shadow")),
            canary=self._challenger(target, release.settings.get("canary")),
            images=target.images,
        )

    def _challenger(self, target: Target, asked: object) -> Challenger | None:
        """The challenger in a release's settings: ``{"version": 3, "share": 0.1}``; nonsense is left out."""
        if not isinstance(asked, dict):
            return None
        number, share = asked.get("version"), asked.get("share", 0.0)
        versions = self._stores.of(target.project).versions
        record = versions.get(target.project, number) if isinstance(number, int) else None
        if record is None or not isinstance(share, int | float):
            logger.error(
                "The release of %s asks for a challenger that there is not: %s", target.project, asked
            )
            return None
        bundle = Path(target.work_dir) / record.bundle
        _fetch(target, bundle, record.number)
        by = "request" if asked.get("by") == "request" else "client"
        return Challenger(version=record.number, bundle=str(bundle), share=float(share), by=by)

    def _publish(self) -> tuple[Assigned, ...]:
        assigned = tuple(self._assigned[target.name] for target in self._targets)
        publish(self._live, assigned)
        return assigned


def _fetch(target: Target, bundle: Path, version: int) -> None:
    if target.bundles_url and not bundle.exists():
        # Imported here, as above: most servers find their bundles on their own disk.
        from modelwright.bundle.objects import address_of, pull

        pull(address_of(target.bundles_url, target.project, version), bundle)
