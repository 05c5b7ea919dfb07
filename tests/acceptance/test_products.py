"""The products system: pictures and words in one answer, and what is said where something is missing."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from acceptance.catalogue import load, until, write
from acceptance.program import EXAMPLES, Server, environment, example, run, serving, train, with_source
from browser import Watched, chromium
from modelwright.bundle.kept import KeptPictures
from modelwright.bundle.pictures import reference
from modelwright.bundle.read import open_bundle
from modelwright.project.load import load as load_project
from modelwright.retrain.additions import Addition
from modelwright.retrain.dataset import assemble

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def catalogue() -> ModuleType:
    """The example's generator."""
    return load()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, catalogue: ModuleType) -> Path:
    """The example, trained on a small made catalogue that lies outside of it."""
    base = tmp_path_factory.mktemp("products")
    project = example("products", base)
    write(catalogue, base / "elsewhere", 280)
    file = project / "project.yaml"
    with_source(project, "../elsewhere/products.csv")
    text = re.sub(r"    - (logistic_regression: .*|kernel_ridge: \{only: text.*)\n", "", file.read_text())
    file.write_text(text.replace("serve: {port: 5000}", "serve: {port: 5000, keep_images: 1d}"))
    done = train("train", project, "--json")
    assert done.code == 0, done.err
    return project


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Server]:
    """The trained example, served."""
    with serving("serve", trained) as running:
        yield running


def png(size: tuple[int, int] = (32, 32), colour: str = "red") -> bytes:
    """A plain picture."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def picture_of(trained: Path, category: str) -> bytes:
    """The file of one product of a category."""
    folder = trained.parent / "elsewhere"
    with (folder / "products.csv").open(encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["category"] == category)
    return (folder / row["image"]).read_bytes()


def test_one_answer_however_the_picture_is_sent(server: Server, trained: Path) -> None:
    """JSON with base64 or a data URL, a form, MLflow's and V2's requests all say the same of one product."""
    data = picture_of(trained, "Watches")
    plain = base64.b64encode(data).decode()
    title = "Quartz watch with leather strap"
    url = server.url
    said = [
        httpx.post(f"{url}/predict", json={"product_name": title, "image": plain}).json(),
        httpx.post(
            f"{url}/predict", json={"product_name": title, "image": f"data:image/jpeg;base64,{plain}"}
        ).json(),
        httpx.post(f"{url}/predict", data={"product_name": title}, files={"image": ("a.jpg", data)}).json(),
        httpx.post(f"{url}/predict", json={"instances": [{"product_name": title, "image": plain}]}).json()[
            "predictions"
        ][0],
    ]
    assert {answer["prediction"] for answer in said} == {"Watches"}
    assert len({json.dumps(answer["probabilities"]) for answer in said}) == 1
    rows = {"dataframe_records": [{"product_name": title, "description": None, "image": plain}]}
    scored = httpx.post(f"{url}/invocations", json=rows)
    assert scored.status_code == 200 and "Watches" in scored.text
    tensors = [
        {"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}
        for name, value in (("product_name", title), ("description", ""), ("image", plain))
    ]
    inferred = httpx.post(f"{url}/v2/models/products/infer", json={"inputs": tensors})
    assert inferred.status_code == 200 and "Watches" in inferred.text


def test_v2_takes_the_bytes_themselves(server: Server, trained: Path) -> None:
    """A binary tensor carries the picture as it is."""
    data = picture_of(trained, "Watches")
    binary = len(data).to_bytes(4, "little") + data
    words = [
        {"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}
        for name, value in (("product_name", "watch"), ("description", ""))
    ]
    tensor = {
        "name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(binary)},
    }  # fmt: skip
    head = json.dumps({"inputs": [*words, tensor]}).encode()
    answer = httpx.post(
        f"{server.url}/v2/models/products/infer",
        content=head + binary,
        headers={
            "Inference-Header-Content-Length": str(len(head)),
            "Content-Type": "application/octet-stream",
        },
    )
    assert answer.status_code == 200 and "Watches" in answer.text, answer.text


def test_what_is_missing_is_answered_with_what_there_is(server: Server, trained: Path) -> None:
    """Words alone, a picture alone, and nothing at all are answered, the last one without conviction."""
    image = base64.b64encode(picture_of(trained, "Watches")).decode()
    words = {"product_name": "Ceramic coffee mug", "description": "dinner plate bowl"}
    ask = lambda row: httpx.post(f"{server.url}/predict", json={"features": row}).json()  # noqa: E731
    assert ask(words)["prediction"] == "Kitchen & Dining"
    assert set(ask({"image": image})["probabilities"]) == set(ask(words)["probabilities"])
    nothing = ask({"product_name": "", "description": None, "image": ""})
    assert nothing["confidence"] < 0.3


REFUSED = {
    "a number, a list": (7, "image_type"),
    "a path such as": ("images/shoe.jpg", "image_base64"),
    "a file that is no image": (base64.b64encode(b"%PDF-1.7 text").decode(), "image_type"),
    "a file cut off": (base64.b64encode(png((300, 300))[:200]).decode(), "image_damaged"),
    "an image of 6000": (base64.b64encode(png((6000, 6000))).decode(), "image_pixels"),
    "more than 10 MiB": (base64.b64encode(b"\xff\xd8\xff" + bytes(11 << 20)).decode(), "image_bytes"),
    "the name of an image": (f"image:sha256={'0' * 64};bytes=3;type=image/png", "image_absent"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_the_walk_through_says_is_refused_is_refused(server: Server, row: str) -> None:
    """Each line of the README's table: a 400 with that type, which names the column."""
    text = (EXAMPLES / "products" / "README.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row}")]
    value, kind = REFUSED[row]
    assert f"`{kind}`" in line
    answer = httpx.post(f"{server.url}/predict", json={"product_name": "mug", "image": value}, timeout=30)
    assert answer.status_code == 400
    (detail,) = answer.json()["details"]
    assert detail["loc"] == ["body", "features", "image"] and detail["type"] == kind
    assert len(answer.content) < 2000


def test_the_table_of_refusals_is_whole() -> None:
    """No line of the README's table goes untested."""
    text = (EXAMPLES / "products" / "README.md").read_text(encoding="utf-8")
    table = text.partition("| sent as `image`")[2].partition("\n\n")[0]
    assert len(table.splitlines()[2:]) == len(REFUSED)


def test_the_log_keeps_names_and_why_shows_them(server: Server, trained: Path) -> None:
    """An answer's picture is not in the log, its name is, and ``why`` tells it; so is a refused one's."""
    data = png((400, 300), "blue")
    sent = httpx.post(
        f"{server.url}/predict", data={"product_name": "lamp"}, files={"image": ("a.png", data)}
    ).json()
    name = f"image:sha256={hashlib.sha256(data).hexdigest()};bytes={len(data)};type=image/png"

    def stored() -> Any:
        return httpx.get(f"{server.url}/predictions/{sent['prediction_id']}").status_code == 200

    until(stored, "the delivery")
    told = run("why", sent["prediction_id"], "-p", trained)
    assert told.code == 0 and name in told.out.replace("\n", "").replace(" ", ""), told.out
    refused = httpx.post(f"{server.url}/predict", json={"image": "ü" * 100_000})
    assert refused.status_code == 400
    history = until(
        lambda: next(
            (
                text
                for text in [httpx.get(f"{server.url}/predictions/history?limit=5").text]
                if refused.json()["prediction_id"] in text
            ),
            None,
        ),
        "the delivery of the refusal",
    )
    assert len(history) < 20_000 and "no image" in history


def test_an_id_sent_again_is_known_by_the_picture(server: Server) -> None:
    """The same picture under one id gets the first answer, another picture is told that the id is taken."""
    row = {"product_name": "curtain", "image": base64.b64encode(png(colour="green")).decode()}
    first = httpx.post(f"{server.url}/predict", json={"features": row, "id": "order-1"}).json()
    again = httpx.post(f"{server.url}/predict", json={"features": row, "id": "order-1"}).json()
    assert first == again
    other = {**row, "image": base64.b64encode(png(colour="black")).decode()}
    assert httpx.post(f"{server.url}/predict", json={"features": other, "id": "order-1"}).status_code == 409


def turned(image: Image.Image) -> bytes:
    """A picture that says of itself that the camera was held upright, though it lies."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.convert("CMYK").rotate(90, expand=True).save(out, "JPEG", exif=exif)
    return out.getvalue()


def animated(image: Image.Image) -> bytes:
    """A GIF whose first picture is ``image``."""
    out = io.BytesIO()
    image.save(out, "GIF", save_all=True, append_images=[Image.new("RGB", image.size, "red")])
    return out.getvalue()


def test_a_picture_is_tried_in_the_browser(server: Server, trained: Path, tmp_path: Path) -> None:
    """A file is chosen, shown, answered and explained; what cannot be read is told in words."""
    plain = picture_of(trained, "Watches")
    with Image.open(io.BytesIO(plain)) as opened:
        image = opened.convert("RGB")
    files = {
        "a watch.jpg": plain,
        "turned.jpg": turned(image),
        "moving.gif": animated(image),
        "broken.jpg": plain[: len(plain) // 2],
        "notes.png": b"no picture",
        "bomb.png": png((6000, 6000)),
        "large.jpg": plain + bytes(11 << 20),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    refused = {
        "broken.jpg": "the JPEG image is truncated or damaged",
        "notes.png": "expected an image",
        "bomb.png": "6000 by 6000 pixels",
    }
    with chromium() as browser, Watched(browser, server.url) as watched:
        page = watched.page
        page.goto("/dashboard/products/try")
        for field in page.locator("#try textarea").all():
            field.fill("")

        def ask(name: str) -> str:
            page.set_input_files("#try input[type=file]", tmp_path / name)
            page.click("#try button:not([type=button])")
            page.wait_for_selector("#answer:not([aria-busy])")
            page.wait_for_selector("#answer .patches, #answer .problem")
            return str(page.locator("#answer").inner_text())

        said = ask("a watch.jpg")
        assert said.startswith("Watches") and "the picture" in said
        assert page.locator(".preview img").is_visible() and "a watch.jpg" in page.inner_text(".preview p")
        assert page.locator(".patches rect").count() > 0
        shape = page.locator(".patches image").evaluate(
            "each => each.width.baseVal.value / each.height.baseVal.value"
        )
        assert ask("turned.jpg").startswith("Watches")
        again = page.locator(".patches image").evaluate(
            "each => each.width.baseVal.value / each.height.baseVal.value"
        )
        assert again == pytest.approx(shape, rel=0.05)  # upright, as the model sees it
        assert ask("moving.gif").startswith("Watches")
        for name, words in refused.items():
            assert words in ask(name)
        page.set_input_files("#try input[type=file]", tmp_path / "large.jpg")
        assert "more than a picture may have" in page.inner_text(".preview p")
        assert not page.locator("#try").evaluate("form => form.checkValidity()")
        page.click(".preview button")
        assert page.locator(".preview").is_hidden() and page.input_value("#try input[type=file]") == ""
        ask("a watch.jpg")
        page.click("#answer a[href*=predictions]")
        page.click("text=Why this answer?")
        page.wait_for_selector(".explain .patches")  # the picture was kept, so the log can explain it
        page.go_back()
        # What no browser can show is told on the console too, by the browser itself.
        assert [each for each in watched.wrong if "Failed to load resource" not in each] == []
        pasted(page, tmp_path)


def test_a_labelled_picture_alone_is_learned_from(trained: Path, tmp_path: Path) -> None:
    """A prediction from a picture alone teaches where the picture was kept; elsewhere it cannot."""
    project = load_project(trained / "project.yaml")
    bundle = open_bundle(trained / ".modelwright" / "bundles" / "v1")
    data = picture_of(trained, "Watches")
    row = {"product_name": None, "description": None, "image": reference(data)}
    found = [Addition("prediction:1", row, "Watches", datetime.now(UTC))]
    work_dirs = {"kept": tmp_path / "one", "gone": tmp_path / "two"}
    KeptPictures(work_dirs["kept"] / "images").keep(data)
    notes = {
        name: assemble(project, bundle, found, job=f"{name:j<32}", work_dir=work_dir, labels_seen=1)
        for name, work_dir in work_dirs.items()
    }
    assert notes["gone"].ids == () and "keep_images" in notes["gone"].left_out[0][1]
    assert notes["kept"].ids == ("prediction:1",)
    file = project.resolve(notes["kept"].source)
    with file.open(encoding="utf-8") as opened:
        last = list(csv.DictReader(opened))[-1]
    assert last["category"] == "Watches" and last["product_name"] == ""
    assert (file.parent / last["image"]).read_bytes() == data
    file.unlink()


def pasted(page: Any, folder: Path) -> None:
    """The shell's request, run where the file lies, is answered."""
    page.set_input_files("#try input[type=file]", folder / "a watch.jpg")
    page.click("#try button:not([type=button])")
    page.wait_for_selector("#answer .patches")
    text = page.locator(".code pre").first.inner_text()
    done = subprocess.run(["bash", "-c", text], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and json.loads(done.stdout)["prediction"] == "Watches", (
        done.stdout + done.stderr
    )


def test_rows_of_a_file_are_answered_with_their_pictures(trained: Path) -> None:
    """``predict`` reads the paths of a table beside it, and mostly gives the category that is there."""
    table = trained.parent / "elsewhere" / "products.csv"
    done = run("predict", table, "--project", trained, "--format", "csv")
    assert done.code == 0, done.err
    answers = {row["uniq_id"]: row["prediction"] for row in csv.DictReader(io.StringIO(done.out))}
    with table.open(encoding="utf-8") as file:
        truth = {row["uniq_id"]: row["category"] for row in csv.DictReader(file)}
    assert np.mean([answers[key] == truth[key] for key in truth]) > 0.95
    one = run("predict", "-p", trained, f"image={trained.parent / 'elsewhere'}/gone.jpg")
    assert one.code != 0 and "not base64" in one.err


def test_a_damaged_encoder_is_found_before_anything_is_loaded(trained: Path, tmp_path: Path) -> None:
    """The encoder is a file of the bundle, and checked like the others."""
    bundle = Path(shutil.copytree(trained / ".modelwright" / "bundles" / "v1", tmp_path / "v1"))
    (encoder,) = bundle.glob("encoder-*.onnx")
    content = bytearray(encoder.read_bytes())
    content[len(content) // 2] ^= 1
    encoder.write_bytes(content)
    done = run("bundle", "verify", bundle)
    assert done.code == 6 and encoder.name in done.err


def test_a_version_is_made_again_from_its_pictures(trained: Path) -> None:
    """The same rows and pictures give the same encoder, the same models and so the same content."""
    done = run("reproduce", "1", "-p", trained, "--json")
    assert done.code == 0, done.out + done.err
    assert done.json["same"] is True


def test_made_data_is_like_the_real(catalogue: ModuleType, shared_data: Path, tmp_path: Path) -> None:
    """Same columns, types and categories; words tell more than pictures, neither tells all."""
    from sklearn.model_selection import cross_val_score
    from threadpoolctl import threadpool_limits

    from modelwright.bundle.image_fit import fit_built_in
    from modelwright.bundle.kernels import KernelRidgeClassifier
    from modelwright.bundle.text import TextSettings, Vectoriser
    from modelwright.data.pictures import with_pictures
    from modelwright.schema.columns import Column, Kind, TableSchema

    made = write(catalogue, tmp_path, 280)
    with (shared_data / "products/flipkart/products.csv").open(encoding="utf-8") as file:
        real = list(csv.DictReader(file))
    assert list(made[0]) == [*(name for name in catalogue.HEADER if name != "image"), "image"]
    assert list(real[0]) == list(catalogue.HEADER)
    assert {row["category"] for row in made} == {row["category"] for row in real}
    for name, form in (
        ("uniq_id", r"[0-9a-f]{32}"),
        ("retail_price", r"\d+(\.0)?|"),
        ("image", r"images/\w+\.jpg"),
    ):
        assert all(re.fullmatch(form, row[name]) for row in (*made, *real)), name
    scores: dict[str, dict[str, float]] = {}
    schema = TableSchema(columns=(Column(name="image", kind=Kind.IMAGE),))
    with threadpool_limits(limits=1):  # threads that fight over busy cores take all of them
        for kind, rows, folder in (
            ("made", made, tmp_path),
            ("real", real[:280], shared_data / "products/flipkart"),
        ):
            labels = np.array([row["category"] for row in rows])
            texts = [f"{row['product_name']} {row['description']}" for row in rows]
            vectoriser = Vectoriser.fit(texts, TextSettings(max_features=2000))
            words = np.zeros((len(rows), vectoriser.width), dtype=np.float32)
            vectoriser.fill(texts, words)
            cells = {"image": np.array([row["image"] for row in rows], dtype=object)}
            pictures = with_pictures(cells, schema, [folder]).columns["image"].tolist()
            runner = fit_built_in("image", pictures, seed=0)
            assert runner is not None
            features = np.stack([runner.features(one) for one in pictures])
            scores[kind] = {
                "text": cross_val_score(KernelRidgeClassifier(kernel="linear"), words, labels, cv=3).mean(),
                "image": cross_val_score(KernelRidgeClassifier(), features, labels, cv=3).mean(),
            }
    for part in ("text", "image"):
        assert abs(scores["made"][part] - scores["real"][part]) < 0.12, scores
    assert scores["made"]["image"] < scores["made"]["text"] - 0.15 and scores["made"]["text"] < 0.99


def test_the_notebook_runs_and_draws(trained: Path) -> None:
    """Every cell of the exploration works on the trained project, and shows its plots."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / "products" / "exploration.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(trained)}})
    # The test's own Matplotlib draws for nobody; a notebook's draws into the notebook.
    inline = "module://matplotlib_inline.backend_inline"
    client.execute(env=environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND=inline))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 6
    assert any("wrong; the surest of them above" in output.get("text", "") for output in outputs)
