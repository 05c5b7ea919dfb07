"""A project file is found, read as people mean it, and every mistake in it is told at once."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.errors import ExitCode
from modelwright.project.load import check, find, load
from modelwright.project.mistakes import ProjectInvalid, ProjectNotFound

GOOD = """
name: fraud
data: {source: rows.csv, target: Class}
"""


@pytest.fixture
def write(tmp_path):
    """Write a project file and give its path."""

    def write(content, name="project.yaml"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(textwrap.dedent(content), encoding="utf-8")
        return path

    return write


def told(path):
    return [str(mistake) for mistake in check(path)]


def test_a_file_in_order_has_no_mistakes_and_its_defaults(write):
    """Two keys are enough for a project; the rest is default."""
    path = write(GOOD)
    assert check(path) == []
    project = load(path)
    assert (project.name, project.file.task, project.file.data.split.test) == ("fraud", "classification", 0.2)
    assert project.working == path.parent / ".modelwright"
    assert project.features_path is None


def test_features_are_part_of_the_project(write, tmp_path):
    """A features.py beside the file is found."""
    (tmp_path / "features.py").write_text("")
    assert load(write(GOOD)).features_path == tmp_path / "features.py"


def test_relative_paths_start_at_the_file(write, tmp_path):
    """A source is found wherever the command was started."""
    assert load(write(GOOD)).resolve("rows.csv") == tmp_path / "rows.csv"


def test_the_whole_design_example_is_in_order(write):
    """Every key of the documented example is taken, with its type."""
    project = load(
        write(
            """
            name: fraud
            task: classification
            data:
              source: data/creditcard_2023.csv
              target: Class
              id: id
              drop: []
              split: {test: 0.2, seed: 42}
            features:
              Amount: {min: 0}
            train:
              candidates:
                - logistic_regression
                - random_forest: {n_estimators: 300}
                - xgboost: {search: {max_depth: [3, 10], learning_rate: [1e-2, 0.3, log]}}
                - sklearn.svm.SVC: {kernel: rbf, class_weight: {0: 1, 1: 5}}
              metric: average_precision
              search: {trials: 30, timeout: 10m}
            gate:
              floors: {f1: 0.95}
              non_inferiority: 0.005
            serve: {port: 5000}
            monitor:
              window: 500
              drift: {psi: 0.2, detectors: [adwin, page_hinkley]}
            retrain:
              new_samples: 10
              quality: {f1: 0.90, window: 500}
              on_drift: true
              cooldown: 1h
            """
        )
    )
    candidates = project.file.train.candidates
    assert candidates[2] == {
        "xgboost": {"search": {"max_depth": [3, 10], "learning_rate": [0.01, 0.3, "log"]}}
    }
    assert candidates[3]["sklearn.svm.SVC"]["class_weight"] == {0: 1, 1: 5}


def test_several_models_share_the_data(write):
    """A clustering beside a classification needs no target of its own."""
    path = write(
        """
        name: holders
        data: {source: rows.csv, target: will_spend}
        models:
          segment: {task: clustering}
          will_spend: {task: classification}
        """
    )
    assert check(path) == []
    assert load(path).file.models["segment"].task == "clustering"


def test_words_mean_what_they_say(write):
    """Where text is meant, 'no', 2024, -999 and null are taken as written; keys too."""
    project = load(
        write(
            """
            name: 2024
            data:
              source: rows.csv
              target: 2024
              missing: [-999, NA, null, no, ~, 1e3]
              labels: {0: no, 1: true}
              drop: [on, 007]
            features: {2014: {categories: [1, 2.50]}}
            """
        )
    ).file
    assert (project.name, project.data.target) == ("2024", "2024")
    assert project.data.missing == ["-999", "NA", "null", "no", "~", "1e3"]
    assert project.data.labels == {"0": "no", "1": "true"}
    assert project.data.drop == ["on", "007"]
    assert project.features["2014"].categories == ["1", "2.50"]


def test_empty_sections_take_their_defaults(write):
    """A section of which everything is commented out is no mistake, nor a candidate without settings."""
    project = load(write(GOOD + "train:\n  candidates:\n    - xgboost:\ngate:\n")).file
    assert project.train.candidates == [{"xgboost": {}}]
    assert project.gate.floors == {}


def test_lines_of_keys_are_known(write):
    """A value can be traced to its line."""
    assert load(write(GOOD + "serve:\n  port: 7\n")).lines["serve.port"] == 5


MISTAKES = [
    (
        "task: clasification",
        "line 1: task: 'clasification' is not known here. Did you mean 'classification'?",
    ),
    ("tain: {}", "line 1: tain: There is no such key. Did you mean 'train'?"),
    ("target: x", "line 1: target: There is no such key. It belongs in 'data'."),
    ("train: {port: 1}", "train.port: There is no such key. It belongs in 'serve'."),
    ("serve: {name: x}", "serve.name: There is no such key. Indent it less: it belongs outermost."),
    ("train: {metric: auc}", "train.metric: 'auc' is no metric. Did you mean 'roc_auc'?"),
    ("train: {metric: rmse}", "train.metric: 'rmse' measures a regression, not a classification."),
    ("train: {candidates: [rf]}", "train.candidates[0]: 'rf' is no candidate. Did you mean 'random_forest'?"),
    ("train: {candidates: [ridge]}", "'ridge' is a candidate for regression, not for classification."),
    ("train: {candidates: [a..b]}", "'a..b' is no candidate."),
    ("train: {candidates: xgboost}", "Write: candidates: [xgboost]"),
    ("train:\n  candidates:\n  - xgboost:\n    search: {}", "One candidate has 2 names: xgboost, search."),
    ("train: {candidates: [5]}", "'5' stands where text or keys and values"),
    ("train: {candidates: [xgboost: {search: {a: 5}}]}", "'5' is no range to search."),
    ("train: {candidates: [xgboost: {search: [a]}]}", "A search names settings."),
    ("train: {candidates: [xgboost: {search: {a: [9, 3]}}]}", "The range begins at 9 and ends at 3."),
    ("train: {candidates: [xgboost: {search: {a: [0, 3, log]}}]}", "A log scale cannot begin at 0."),
    ("train: {candidates: [xgboost: {search: {a: [1, 3, lg]}}]}", "'lg' is no scale."),
    ("train: {search: {trials: many}}", "'many' stands where a whole number should."),
    ("train: {search: {timeout: 10min}}", "'10min' is not a length of time."),
    ("train: {search: {timeout: [1]}}", "A list stands where text or a number should."),
    ("train: {class_weight: even}", "One of: balanced, none."),
    ("retrain: {cooldown: 0}", "'0' is not a length of time above zero."),
    ("retrain: {quality: {f1_score: 1}}", "'f1_score' is no metric. Did you mean 'f1'?"),
    ("retrain: {on_drift: maybe}", "'maybe' stands where true or false should."),
    ("gate: {floors: {f1: 95}}", "'f1' never is 95. It goes from 0 to 1; for 95 % write 0.95."),
    ("gate: {floors: {f1: .nan}}", "'f1' never is nan."),
    ("gate: {floors: {f1: high}}", "gate.floors.f1: 'high' stands where a number should."),
    ("gate: [f1]", "gate: A list stands where keys and values, indented below it should."),
    ("serve: {port: 99999}", "99999 is out of range. It must be at most 65535."),
    ("serve: {threshold: 2}", "2 is no probability. Write one between 0 and 1, for example 0.02."),
    ("train: {decision: {precision: 0.9, cost: {false_negative: 9, false_positive: 1}}}", "for one thing"),
    ("train: {decision: {precision: 2}}", "train.decision.precision: 2"),
    ("train: {decision: {cost: {false_negative: 9}}}", "false_positive"),
    ("serve: {threshold: 0.3}\ntrain: {decision: {precision: 0.9}}", "both fixed and chosen"),
    ("serve: {threshold: {x: 0.5}}", "The project has no model 'x'. Write for example: threshold: 0.5"),
    ("serve: {port: 1, port: 2}", "serve.port: The key is given twice (first on line 1)."),
    ("monitor: {drift: {detectors: [adwim]}}", "Did you mean 'adwin'?"),
    ("features: {a: {min: 2, max: 1}}", "features.a.max: max (1) is below min (2)."),
    ("features: {a: {kind: text, min: 2}}", "features.a.min: A text column has no min."),
    ("features: {a: {kind: number}}", "Did you mean 'numeric'?"),
    ("features: {a: {kind: text, categories: [x]}}", "A text column has no categories."),
    ('features: {"a.b c": {kinds: text}}', 'features."a.b c".kinds: There is no such key.'),
    ("models: {a b: {target: x}}", "'a b' cannot name a model."),
    ("models: {outputs: {target: x}}", "'outputs' is a field of every answer."),
    ("models: {a: {target: x, train: {metric: auc}}}", "models.a.train.metric: 'auc' is no metric."),
    ("task: !!python/name:os.system regression", "The tag"),
    ("gate: &a {floors: *a}", "An alias (*name) repeats too much."),
    ("? [a]\n: b", "A key must be a word."),
]


@pytest.mark.parametrize(("lines", "says"), MISTAKES, ids=[lines for lines, _ in MISTAKES])
def test_each_mistake_is_told_with_its_remedy(write, lines, says):
    """One mistake gives one message, which names the key and what would be right."""
    path = write(lines + "\n" + GOOD.lstrip())
    messages = told(path)
    assert len(messages) == 1
    assert says in messages[0]


DATA_MISTAKES = [
    ("{source: a, target: t, drop: [t]}", "'t' is dropped and to be predicted."),
    ("{source: a, target: t, id: t}", "'t' is the identifier and the target."),
    ("{source: a, target: t, id: i, drop: [i]}", "'i' is dropped and the identifier."),
    ("{source: a}", "data.target: A classification needs the column to predict."),
    ("{target: t}", "data.source: The key is missing. Write for example: source: data/rows.csv"),
    ("{source: [[a]], target: t}", "data.source[0]: This is no source."),
    ("{source: {url: x}, target: t}", "data.source.query: The key is missing."),
    ("{source: a, target: t, split: {test: 20}}", "data.split.test: 20 is out of range. It must be below 1"),
    ("{source: a, target: t, split: 0.3}", "Write: split: {test: 0.3}"),
    ("{source: a, target: t, split: {by_time: x, by_group: y}}", "by_time and by_group are both given."),
    ("{source: a, target: t, split: {by_group: t}}", "'t' is the target; rows cannot be split by it."),
    ("rows.csv", "Write: data: {source: rows.csv}"),
]


@pytest.mark.parametrize(("data", "says"), DATA_MISTAKES, ids=[data for data, _ in DATA_MISTAKES])
def test_data_that_does_not_agree_with_itself_is_told(write, data, says):
    """Keys of the data section are checked against each other."""
    assert any(says in message for message in told(write(f"name: x\ndata: {data}\n")))


def test_clustering_has_no_target(write):
    """A clustering with a target is a mistake, with a clustering metric and candidates it is none."""
    path = write("name: x\ntask: clustering\ndata: {source: a, target: t}\nserve: {threshold: 0.5}\n")
    assert ["target" in told(path)[0], "threshold" in told(path)[1]] == [True, True]
    path = write(
        "name: x\ntask: clustering\ndata: {source: a}\ntrain: {candidates: [kmeans], metric: silhouette}\n"
    )
    assert told(path) == []


def test_all_mistakes_are_told_at_once_in_order(write):
    """Types, unknown keys, keys given twice and disagreeing values come together, by line."""
    path = write(
        """\
        name: no spaces please
        task: regresion
        data: {source: a, target: t, id: t}
        train: {metric: f1, search: {trials: 0}}
        train: {}
        gate: {flors: {}}
        """
    )
    mistakes = check(path)
    assert [(mistake.line, mistake.key) for mistake in mistakes] == [
        (1, "name"),
        (2, "task"),
        (3, "data.id"),
        (4, "train.metric"),
        (4, "train.search.trials"),
        (5, "train"),
        (6, "gate.flors"),
    ]
    with pytest.raises(ProjectInvalid) as caught:
        load(path)
    assert caught.value.mistakes == tuple(mistakes)
    assert caught.value.code is ExitCode.PROJECT
    assert "7 mistakes" in caught.value.reason


UNREADABLE = [
    (b"", "The file must be keys and values"),
    (b"- a\n- b\n", "The file must be keys and values"),
    (b"name: x\n\tdata: y\n  \tz: 1\n", "line 2: The line is indented with a tab. Use spaces."),
    (b"name: 'x\n", "A quote or bracket is not closed."),
    (b"name: x\ndata: {a: [1, 2}\n", "line 2: This is not YAML"),
    (b"name: x\ndata: a: b\n", "line 2: This is not YAML: mapping values are not allowed here."),
    (b"name: @x\n", "Put the text in quotes."),
    (b"name: *x\n", "Put text that starts with * in quotes."),
    (b"a: 1\n---\nb: 2\n", "Keep one project per file"),
    (b"name: caf\xe9\n", "line 1: Byte 0xe9 is not UTF-8. Save the file as UTF-8 text."),
    (b"PAR1\x00\x01\x02", "The file is binary, not text."),
    (b"name: x\ny: \x07\n", "line 2: This is not YAML: unacceptable character."),
    (b"[" * 5000, "nested too deeply"),
    (b"x" * 1_000_001, "this is no project file."),
]


@pytest.mark.parametrize(("content", "says"), UNREADABLE, ids=[repr(c[:20]) for c, _ in UNREADABLE])
def test_what_is_no_yaml_is_told_with_its_line(write, content, says):
    """Broken, binary and foreign files end in a message, never in a traceback."""
    assert any(says in message for message in told(write(content)))


def test_a_byte_order_mark_is_no_mistake(write):
    """Files saved by Windows editors are read."""
    assert told(write(b"\xef\xbb\xbf" + GOOD.encode().replace(b"\n", b"\r\n"))) == []


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    """What cannot be read is told, not raised as an OSError."""
    (tmp_path / "x.yaml").symlink_to("x.yaml")
    with pytest.raises(ProjectNotFound):
        find(tmp_path / "x.yaml")


LETTERS = "aen01.-+:,?&*!|>%@`'\"#{}[]~<= \n\t\\é日\u2028"


@given(st.binary(max_size=200) | st.text(LETTERS, max_size=200).map(str.encode))
def test_no_content_breaks_the_check(tmp_path_factory, content):
    """Whatever the file holds, the check returns mistakes."""
    path = tmp_path_factory.mktemp("any") / "project.yaml"
    path.write_bytes(content)
    assert all(mistake.problem for mistake in check(path))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(LETTERS, max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(LETTERS, max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["name", "task", "data", "features", "train", "gate", "serve", "retrain", "models"])


@given(st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=3)))
def test_no_shape_breaks_the_check(tmp_path_factory, data):
    """Any values under any keys give mistakes, or a project that loads."""
    import yaml

    path = tmp_path_factory.mktemp("any") / "project.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    if not check(path):
        load(path)


def test_the_file_is_found_from_inside_the_project(write, tmp_path, monkeypatch):
    """Without a path, the folders above are looked through."""
    path = write(GOOD)
    inner = tmp_path / "data" / "deep"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert find() == path
    assert find(tmp_path) == path
    assert find(str(path)) == path


def test_what_is_not_found_says_how_to_start(tmp_path, monkeypatch):
    """The error names the place and the next command; data files and slips of the name are seen."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectNotFound, match="modelwright init"):
        find()
    (tmp_path / "my rows.csv").touch()
    with pytest.raises(ProjectNotFound, match=r"modelwright up 'my rows.csv' --target"):
        find(tmp_path)
    with pytest.raises(ProjectNotFound, match="not a project file"):
        find(tmp_path / "my rows.csv")
    (tmp_path / "project.yml").touch()
    with pytest.raises(ProjectNotFound, match="rename it"):
        find(tmp_path)
    with pytest.raises(ProjectNotFound, match="Check the path"):
        find(tmp_path / "nowhere")


def test_an_encoder_is_a_file_or_trained(write):
    """`train` alone or with its settings is no path; a file may be called so with its folder."""
    features = "features: {a: {encoder: train}, b: {encoder: {train: {epochs: 5}}}, c: {encoder: ./train}}"
    found = load(write(f"{GOOD}{features}\n")).file.features
    assert found["a"].encoder_training is not None and found["a"].encoder_file is None
    assert found["b"].encoder_training.epochs == 5
    assert found["c"].encoder_file == "./train" and found["c"].encoder_training is None


def test_mistakes_about_a_trained_encoder(write):
    """A length that is none, a setting nobody knows, and a text column that cannot be trained."""
    features = "features: {a: {encoder: {train: {time: soon, epoch: 3}}}, b: {kind: text, encoder: train}}"
    said = "\n".join(told(write(f"{GOOD}{features}\n")))
    assert "'soon' is not a length of time" in said and "epochs" in said
    assert "Only an image column's encoder is trained here; this one is text" in said
