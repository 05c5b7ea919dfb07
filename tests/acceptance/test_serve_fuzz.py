"""Generated bodies against a real server by the thousand; bench/fuzz.py sends many more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bench.bodies import PROTOCOLS, Bodies
from bench.fuzz import columns_of, post_all
from bundles import contents_of, fit_tree, make_table
from modelwright.bundle.write import write_bundle
from serving import Server, release

COUNT = 2_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A model of numbers, categories and text, served."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "project.yaml").write_text("name: mixed\ndata: {source: data.csv, target: kind}\n")
    work_dir = folder / ".modelwright"
    fitted = fit_tree(make_table(300, text=True))
    release(work_dir, 1, write_bundle(work_dir / "bundles" / "v1", contents_of(fitted, project="mixed")))
    with Server("--workers", "1", cwd=folder) as running:
        yield running
        assert running.stop() == 0
    assert "Traceback" not in running.log.read_text()
    assert not list((work_dir / "journal").glob("set-aside*"))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_generated_bodies_are_answered_or_refused(server: Server, protocol: str) -> None:
    """Right, nearly right and spoilt bodies get an answer or a 4xx, none a failure, none is left waiting."""
    source = Bodies(columns_of(make_table(300, text=True)), "mixed", seed=7)
    seen = asyncio.run(post_all(server.url, source.of(protocol, COUNT)))
    assert not seen.failures, seen.failures[:3]
    assert sum(seen.statuses.values()) == COUNT
    assert seen.statuses[200] > COUNT // 20
