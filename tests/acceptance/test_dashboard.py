"""The dashboard in a real browser, over a real server: pages, what lives in them, what may be done there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from browser import Watched, chromium
from modelwright.serve.auth.api_keys import create_key
from serving import SETOSA, SOURCE, Server, eventually, iris_project, release, stored, write_iris_bundle

pytestmark = pytest.mark.slow

PAGES = ["", "/try", "/predictions", "/quality", "/drift", "/versions", "/jobs", "/settings"]
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for these tests, and gone before any other: Playwright keeps an event loop running here."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions; the first one answers."""
    folder = iris_project(tmp_path_factory.mktemp("iris"))
    work_dir = folder / ".modelwright"
    release(work_dir, 2, write_iris_bundle(work_dir / "bundles" / "v2", number=2, seed=3))
    card = work_dir / "reports" / "v1" / "model-card.md"
    card.parent.mkdir(parents=True)
    card.write_text(
        "# Model card\n\n" + "A line that is said again and again. " * 40 + "\n\nAnd more.\n" * 60
    )
    with stored(work_dir) as store:
        store.releases.append("iris", 1, reason="version 2 was tried", actor="test")
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    """It, served, with some answers in its log."""
    with Server("--workers", "1", cwd=project) as running:
        for place in range(40):
            row = [*SETOSA[:3], 0.1 + 0.05 * place]
            running.client.post("/predict", json={"features": row})
        running.client.post("/predict", json={"features": ["wrong", 1, 2, 3]})
        history = running.client.get("/predictions/history?limit=5").json()["predictions"]
        truth = {"prediction_id": history[-1]["prediction_id"], "target": 0}
        assert running.client.post("/feedback", json=truth).status_code == 201
        yield running


def visit(browser: Any, server: Server, **context: Any) -> Watched:
    return Watched(browser, server.url, **context)


def prediction_id(server: Server) -> str:
    found = server.client.get("/predictions/history?limit=2").json()["predictions"]
    return str(found[-1]["prediction_id"])


def test_every_page_loads_without_a_fault(browser: Any, server: Server) -> None:
    """No console error, no request to another host, nothing wider than a phone, in light and in dark."""
    paths = [*PAGES, f"/predictions/{prediction_id(server)}", "/versions/1", "/versions?compare=1&compare=2"]
    sizes = [("light", 1280, 900), ("dark", 390, 844)]
    for scheme, width, height in sizes:
        with visit(
            browser, server, color_scheme=scheme, viewport={"width": width, "height": height}
        ) as watched:
            for path in paths:
                response = watched.page.goto(f"/dashboard/iris{path}")
                assert response.status == 200, path
                watched.page.wait_for_timeout(60)
                over = watched.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                assert over <= 0, f"{path} is {over} pixels wider than the window at {width}"
            assert watched.wrong == []


def test_nobody_is_kept_out_by_how_pages_are_made(browser: Any, server: Server) -> None:
    """axe-core finds no serious fault on any page, in light and in dark: contrast, names, order, keyboard."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="the package axe-playwright-python is not installed"
    )
    paths = [*PAGES, f"/predictions/{prediction_id(server)}", "/versions/1", "/versions?compare=1&compare=2"]
    for scheme in ("light", "dark"):
        with visit(browser, server, color_scheme=scheme, bypass_csp=True) as watched:
            for path in paths:
                watched.page.goto(f"/dashboard/iris{path}")
                found = axe.Axe().run(watched.page).response["violations"]
                serious = [
                    (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
                    for each in found
                    if each["impact"] in SERIOUS
                ]
                assert serious == [], (path, scheme)


def test_the_overview_lives(browser: Any, server: Server) -> None:
    """An answer given elsewhere shows up in the open page, without loading it again."""
    with visit(browser, server) as watched:
        page = watched.page
        page.goto("/dashboard/iris")
        page.locator("#pulse[data-state=live]").wait_for()
        page.evaluate("window.still = true")
        before = _total(page)
        for _ in range(3):
            server.client.post("/predict", json={"features": SETOSA})
        eventually(lambda: _total(page) >= before + 3, seconds=30)
        assert page.evaluate("window.still") is True
        assert watched.wrong == []


def _total(page: Any) -> int:
    tile = page.locator(".tile", has_text="Answered in all").locator(".big")
    return int("".join(filter(str.isdigit, tile.inner_text())))


def test_the_form_answers_and_says_why(browser: Any, server: Server) -> None:
    """Probabilities, warnings, an explanation that sums up, and a request that can be pasted."""
    with visit(browser, server) as watched:
        page = watched.page
        page.goto("/dashboard/iris/try")
        page.get_by_label("petal length (cm)").fill("99")
        page.get_by_role("button", name="Predict").click()
        answer = page.locator("#answer")
        answer.locator(".result").wait_for()
        assert answer.locator(".chances > span:nth-child(3n + 1)").count() == 3
        assert "petal length (cm)" in answer.locator(".notes").inner_text()
        assert answer.locator(".shapley tr").count() == 4
        assert "curl" in answer.inner_text()
        id = answer.locator("a code").inner_text()
        logged = eventually(lambda: server.client.get(f"/predictions/{id}").json(), seconds=10)
        assert logged["inputs"]["petal length (cm)"] == 99
        page.get_by_label("petal length (cm)").fill("long")
        page.get_by_role("button", name="Predict").click()
        answer.locator(".problem").wait_for()
        assert "petal length (cm)" in answer.locator(".problem").inner_text()
        assert [each for each in watched.wrong if "400" not in each] == []


def test_an_old_answer_is_explained_and_its_label_corrected(
    browser: Any, server: Server, project: Path
) -> None:
    """From the list to the prediction, why it came out so, and what was true of it."""
    with visit(browser, server) as watched:
        page = watched.page
        page.goto("/dashboard/iris/predictions?show=labelled")
        page.locator("table.log tbody tr a").first.click()
        page.get_by_role("button", name="Why this answer?").click()
        page.locator(".shapley tr").first.wait_for()
        page.get_by_text("Correct the label").click()
        page.get_by_label("The truth").select_option("2")
        page.get_by_label("Reason").fill("seen under a lens")
        page.get_by_label("I mean it").check()
        page.get_by_role("button", name="Keep it").click()
        page.get_by_text("The label is kept").wait_for()
        assert watched.wrong == []
    with stored(project / ".modelwright") as store:
        event = store.events.list("iris", kind="label", limit=1)[0]
        assert event.data["target"] == 2
        assert store.labels.latest("iris", [event.data["prediction"]])[event.data["prediction"]].target == 2


@pytest.fixture
def first_again(server: Server, project: Path) -> Iterator[None]:
    """Let version 1 answer afterwards, as the other tests expect: only what is loaded can be explained."""
    yield
    with stored(project / ".modelwright") as store:
        store.releases.append("iris", 1, reason="the test is over", actor="test")
    eventually(lambda: answering(server) == 1, seconds=30)


def answering(server: Server) -> int:
    """Which version answers."""
    return int(server.client.post("/predict", json={"features": SETOSA}).json()["model_version"])


@pytest.mark.usefixtures("first_again")
def test_a_version_is_promoted_in_the_browser(browser: Any, server: Server) -> None:
    """With a reason and a confirmation; the server answers by it, and the page says so."""
    with visit(browser, server) as watched:
        page = watched.page
        page.goto("/dashboard/iris/versions/2")
        page.get_by_text("Roll back to version 2").click()
        page.get_by_role("button", name="Let it answer everybody").click()
        assert "/promote" not in page.url  # the browser itself asks for the reason first
        page.get_by_label("Reason").first.fill("the test wants it")
        page.get_by_label("I mean it").first.check()
        page.get_by_role("button", name="Let it answer everybody").click()
        page.get_by_text("Version 2 answers from now on.").wait_for()
        eventually(lambda: answering(server) == 2, seconds=30)
        assert watched.wrong == []


def test_pages_work_by_keyboard_alone(browser: Any, server: Server) -> None:
    """The first stop skips to the content, and a page is reached without a pointer."""
    with visit(browser, server) as watched:
        page = watched.page
        page.goto("/dashboard/iris")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent").strip() == "Versions":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/dashboard/iris/versions")
        assert watched.wrong == []


def test_pages_stop_with_the_server(browser: Any, project: Path) -> None:
    """An open page does not keep a server from stopping."""
    with Server("--workers", "1", cwd=project) as running, visit(browser, running) as watched:
        watched.page.goto("/dashboard/iris")
        watched.page.locator("#pulse[data-state=live]").wait_for()
        begun = time.monotonic()
        running.stop()
        assert time.monotonic() - begun < 15  # requests in flight may take 20 seconds; a stream must not


def test_a_person_signs_in_with_a_key(browser: Any, project: Path) -> None:
    """The key is entered once; scripts cannot see the session, and signing out ends it."""
    with stored(project / ".modelwright") as store:
        key, _ = create_key(store.keys, "ann", ["admin"])
    with (
        Server("--workers", "1", "--auth", "keys", cwd=project) as running,
        visit(browser, running) as watched,
    ):
        page = watched.page
        page.goto("/dashboard/iris/versions")
        page.wait_for_url("**/sign-in?next=*")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/dashboard/iris/versions")
        assert page.evaluate("document.cookie") == ""
        [cookie] = watched.context.cookies()
        assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        assert watched.context.cookies() == []
        assert watched.wrong == []


def test_one_program_shows_all_projects_of_a_machine(project: Path, tmp_path: Path) -> None:
    """It finds them, says where it shows them, and stops when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-m", "modelwright", "dashboard", str(project), "--port", "0", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        # A list of its own: other tests' projects stand in the one that this process shares with them.
        env={**os.environ, "PYTHONPATH": str(SOURCE), "XDG_STATE_HOME": str(tmp_path / "state")},
    )
    try:
        assert process.stdout is not None
        said = b""
        while not said.rstrip().endswith(b"}"):
            line = process.stdout.readline()
            assert line, said
            said += line
        told = json.loads(said)
        assert told["projects"] == ["iris"]
        page = httpx.get(told["url"], timeout=30)
        assert page.status_code == 200
        assert "Version" in page.text
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM}
        process.stdout.close()  # type: ignore[union-attr]
