"""The project file, typed. Every key a person may write stands here, with its default and meaning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Task

NAME = r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$"
"""What a project may be called."""


class Section(BaseModel):
    """A mapping of the project file: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SqlSource(Section):
    """A table read from a database."""

    url: str = Field(description="SQLAlchemy URL, for example postgresql://user@host/db.")
    query: str = Field(description="The SELECT whose rows are the data.")


class Split(Section):
    """Which rows are held out to measure quality."""

    test: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.2, description="Share of rows held out.")
    seed: int = Field(default=42, ge=0, lt=2**32, description="Seed of the split and of training.")
    by_time: str | None = Field(default=None, description="Column to order by: the latest rows are held out.")
    by_group: str | None = Field(default=None, description="Column whose values stay on one side.")


class Data(Section):
    """Where the rows come from and what they are for."""

    source: str | SqlSource = Field(
        description="File, folder of Parquet, sklearn:NAME, s3://…, url and query, or synthetic:SCRIPT "
        "(rows made by a program of the project); of a list the first one that is there."
    )
    target: str | None = Field(default=None, description="Column to predict; none for clustering.")
    id: str | None = Field(default=None, description="Column kept for lineage, never a feature.")
    drop: list[str] = Field(default=[], description="Columns left out.")
    built: bool = Field(
        default=False, description="The source is what build in features.py gives, so it is not run."
    )
    weight: str | None = Field(
        default=None, description="Column that says how much a row counts in training; never a feature."
    )
    missing: list[str] | None = Field(
        default=None, description="Spellings of a missing value, beside the empty cell."
    )
    labels: dict[str, str] = Field(default={}, description="What people call the target's values.")
    split: Split = Split()


TRAINED = "train"
"""What ``encoder`` says where one is trained."""

_Length = Annotated[int, Field(ge=1, le=10)]


class EncoderTraining(Section):
    """How an image encoder is trained on the project's own pictures."""

    epochs: int | None = Field(
        default=None, ge=1, le=1000, description="Looks at each picture, at most; default by their number."
    )
    time: str | float = Field(
        default="30m", description="Longest time, seconds or a length such as 90s, 10m, 1h."
    )


class TrainedEncoder(Section):
    """An encoder that is trained here, in place of a file."""

    train: EncoderTraining = EncoderTraining()


class Feature(Section):
    """What is known of a column beyond what its values show. Only what differs from what was inferred."""

    kind: Kind | None = Field(default=None, description="What the column holds.")
    nullable: bool | None = Field(default=None, description="Whether a missing value is answered.")
    min: float | None = Field(default=None, description="Values below are refused.")
    max: float | None = Field(default=None, description="Values above are refused.")
    categories: list[str] | None = Field(default=None, description="The values there are.")
    strict: bool = Field(
        default=False, description="Refuse unseen categories and values outside the training range."
    )
    description: str = Field(default="", description="What the column means, for the API's documentation.")
    unit: str = Field(default="", description="Unit of measurement.")
    transform: Literal["log"] | None = Field(
        default=None,
        description="log: the models see sign(x)·log(1 + |x|), for amounts of very different sizes.",
    )
    encoder: str | TrainedEncoder | None = Field(
        default=None,
        description="Image or text columns: an encoder given as an ONNX file. Image columns: train, for one "
        "trained on the project's own pictures (extra vision), alone or with its settings.",
    )
    words: tuple[_Length, _Length] | None = Field(
        default=None, description="Text: shortest and longest run of words that is a term; default [1, 2]."
    )
    chars: tuple[_Length, _Length] | None = Field(
        default=None, description="Text: the same for runs of characters within words; default none."
    )
    terms: int | None = Field(
        default=None, ge=1, le=200_000, description="Text: most terms kept of either kind; default 5000."
    )

    @property
    def encoder_file(self) -> str | None:
        """The path of an encoder given as a file."""
        return self.encoder if isinstance(self.encoder, str) and self.encoder != TRAINED else None

    @property
    def encoder_training(self) -> EncoderTraining | None:
        """How an encoder is trained, where one is."""
        if isinstance(self.encoder, TrainedEncoder):
            return self.encoder.train
        return EncoderTraining() if self.encoder == TRAINED else None


CandidateSpec = str | dict[str, dict[str, Any]]
"""A name from the catalogue or a dotted path, alone or with its settings; ``search`` holds ranges."""


class Search(Section):
    """How long to look for better settings."""

    trials: int = Field(default=30, ge=1, description="Settings tried for a candidate, at most.")
    timeout: str | float = Field(default="10m", description="Seconds, or a length such as 90s, 10m, 1h.")


class Cost(Section):
    """What a wrong answer costs, in any unit; the second label is the positive one."""

    false_negative: float = Field(gt=0, description="Of a positive that was not found.")
    false_positive: float = Field(gt=0, description="Of a false alarm.")


class Decision(Section):
    """What the decision threshold of a binary classifier is chosen for: one of these."""

    cost: Cost | None = Field(default=None, description="The least cost.")
    precision: float | None = Field(
        default=None, gt=0, le=1, description="As many found as possible at this precision."
    )


class Train(Section):
    """Which models to try and how the winner is picked."""

    candidates: list[CandidateSpec] = Field(default=[], description="Empty: a sensible set for the task.")
    metric: str | None = Field(default=None, description="Picks the winner; default by task.")
    search: Search = Search()
    class_weight: Literal["balanced", "none"] | None = Field(
        default=None, description="Default: balanced when rare."
    )
    decision: Decision | None = Field(
        default=None,
        description="What the threshold is chosen for, on validation rows; default: the likelier label.",
    )


class Gate(Section):
    """What a version must reach to be served."""

    floors: dict[str, float] = Field(
        default={}, description="Least value of a metric (most, where less is better)."
    )
    non_inferiority: float = Field(
        default=0.005, ge=0, description="Margin against the champion on the same rows."
    )


class Serve(Section):
    """How the project is served unless a flag or the environment says otherwise."""

    port: int = Field(default=5000, ge=1, le=65535, description="Port the server listens on.")
    threshold: float | dict[str, float] | None = Field(
        default=None, description="Decision threshold of a binary classifier."
    )
    keep_images: str | float | None = Field(
        default=None,
        description="How long images that clients sent are kept, such as 30d, to learn from them once they "
        "are labelled; default: not at all.",
    )
    request_log: str | None = Field(
        default=None, description="File that also gets predictions, a line of JSON each."
    )


class Drift(Section):
    """When a shift of the inputs raises an alarm."""

    psi: float = Field(default=0.2, gt=0, description="Population stability index that raises an alarm.")
    detectors: list[Literal["adwin", "page_hinkley"]] = Field(
        default=["adwin", "page_hinkley"], description="Detectors run over the stream of predictions."
    )


class Monitor(Section):
    """What is watched while serving."""

    window: int = Field(default=500, ge=10, description="Predictions that are judged together.")
    segments: list[str] = Field(
        default=[],
        description="Columns by whose values live quality is told apart; by default those of few values.",
    )
    drift: Drift = Drift()


Share = Annotated[float, Field(gt=0, le=1)]


class ShadowTime(Section):
    """With ``promotion: shadow``: the version that won answers every request on the side first."""

    time: str | float = Field(default="1h", description="Least time it answers on the side.")
    labels: int = Field(default=100, ge=20, description="Labelled rows it is judged on, at least.")
    patience: str | float = Field(
        default="7d", description="It is refused if so many labels did not come in this time."
    )
    errors: float = Field(
        default=0.01, ge=0, le=1, description="By how much its share of failed answers may be the higher."
    )


class Canary(Section):
    """With ``promotion: canary``: the version that won answers a share that grows."""

    shares: list[Share] = Field(
        default=[0.05, 0.25, 0.5, 1.0], min_length=1, description="Share of each step, growing."
    )
    time: str | float = Field(default="10m", description="Least time of a step.")
    answers: int = Field(default=100, ge=1, description="Least answers of a step.")
    labels: int = Field(
        default=50, ge=20, description="From this many labelled rows on a worse metric stops it."
    )
    by: Literal["client", "request"] = Field(
        default="client", description="What is shared out. A client is always answered by the same version."
    )
    errors: float = Field(
        default=0.01, ge=0, le=1, description="By how much its share of failed answers may be the higher."
    )
    latency: float = Field(
        default=2.0, ge=1, description="Most times the champion's latency, each at its 95 % quantile."
    )
    patience: str | float = Field(
        default="7d", description="It is refused if a step did not get its answers in this time."
    )


class Watch(Section):
    """After a promotion: taken back if it is worse on live rows than the version before."""

    time: str | float = Field(default="1d", description="How long a promoted version is watched.")
    labels: int = Field(default=50, ge=20, description="Labelled rows it is judged on, at least.")


class Retrain(Section):
    """What starts a retraining."""

    new_samples: int | None = Field(default=None, ge=1, description="After this many new labelled rows.")
    quality: dict[str, float] | None = Field(
        default=None, description="Below this value of a metric over the last ``window`` labelled rows."
    )
    on_drift: bool = Field(default=False, description="When drift raises an alarm.")
    cooldown: str | float = Field(default="1h", description="Least time between two retrainings.")
    every: str | float | None = Field(default=None, description="After this time without a retraining.")
    newest: int | None = Field(
        default=None, ge=20, description="Train on this many newest rows only, what was sent being newest."
    )
    keep_data: int = Field(
        default=5, ge=1, description="Data files of retrainings that stay; DVC has the older ones."
    )
    half_life: str | float | None = Field(
        default=None,
        description="A row counts half as much in training for each such time that another came after it. "
        "The base data count as old as the oldest row that was sent.",
    )
    per_client: int | None = Field(
        default=None, ge=1, description="Take at most this many newest labelled rows of one client."
    )
    proof: Literal["auto", "better", "not_worse"] = Field(
        default="auto",
        description="What a retrained version has to show. Auto: to be better where there are rows enough.",
    )
    promotion: Literal["automatic", "shadow", "canary", "approval"] = Field(
        default="automatic",
        description="What a retrained version that won its duel does first: answer at once, answer on the "
        "side, answer a growing share, or wait for a person.",
    )
    shadow: ShadowTime = ShadowTime()
    canary: Canary = Canary()
    watch: Watch | Literal[False] = Field(
        default=Watch(), description="What takes a promotion back; false: nothing does."
    )
    new_classes: bool = Field(
        default=False, description="Whether labels may name a class that the model does not know yet."
    )


class Online(Section):
    """Features that are looked up when a request comes: ``online`` in features.py says what is known."""

    key: str = Field(description="Column of a request by whose value the others are found.")
    sent: Annotated[list[str], Field(min_length=1)] = Field(
        description="Columns that a request gives, the key among them; all others are looked up."
    )


class About(Section):
    """What only people know of a model, for its card."""

    intended_use: str = Field(default="", description="What the answers are for, and who acts on them.")
    out_of_scope: str = Field(default="", description="What the answers must not be used for.")
    limitations: str = Field(default="", description="Where the data or the model fall short.")
    contact: str = Field(default="", description="Who answers questions about it.")


class ModelPart(Section):
    """One model of a project that has several."""

    task: Task = Task.CLASSIFICATION
    data: Data | None = Field(default=None, description="Default: the project's own.")
    target: str | None = Field(default=None, description="Column this model predicts.")
    drop: list[str] | None = Field(default=None, description="Columns left out. Default: data.drop.")
    split: Split | None = Field(default=None, description="Which rows are held out. Default: data.split.")
    features: dict[str, Feature] = {}
    train: Train = Train()
    gate: Gate = Gate()


class ProjectFile(Section):
    """The whole file. Names are fixed: other programs and people's files rely on them."""

    name: Annotated[str, Field(pattern=NAME)] = Field(
        description="Letters, digits, - and _; the name of the endpoint and of the registered model."
    )
    task: Task = Field(default=Task.CLASSIFICATION, description="What the model is asked to do.")
    about: About = About()
    data: Data
    features: dict[str, Feature] = Field(
        default={}, description="Columns by name: only what differs from what was inferred."
    )
    train: Train = Train()
    gate: Gate = Gate()
    serve: Serve = Serve()
    monitor: Monitor = Monitor()
    retrain: Retrain = Retrain()
    online: Online | None = Field(
        default=None, description="Features that are looked up by a key of the request."
    )
    models: dict[str, ModelPart] = Field(
        default={}, description="Several models answering in one response, by name: one bundle, one version."
    )
