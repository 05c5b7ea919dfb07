"""What a server process is told: one value, handed from the supervisor to its children as JSON."""

from __future__ import annotations

from pathlib import Path

import msgspec

from modelwright.errors import ModelwrightError

MEGABYTE = 1 << 20


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Something to serve.

    Attributes:
        name: Its name in routes.
        project: Whose releases say what is live, and under whose name the log stands.
        bundle: A bundle that is served whatever the releases say; empty for the champion.
        version: That bundle's.
        work_dir: Where a release's relative bundle folder starts.
        store_url: The project's store where it is not the server's; see ``ServeSettings.store_url``.
        project_file: The project's file, where thresholds stand and it is retrained from; empty where
            it is not here.
        new_classes: Whether truths may name a class that the model does not know.
        bundles_url: Object storage where a release's bundle is fetched from if it is not here.
        retrain: Whether a retraining is started here; else its job waits for a worker elsewhere.
        request_log: File that also gets predictions as JSON lines; empty for none.
        images: Folder where images that clients send are kept; empty for none.
        images_seconds: How long they are.
    """

    name: str
    project: str
    bundle: str = ""
    version: int = 0
    work_dir: str = ""
    store_url: str = ""
    project_file: str = ""
    new_classes: bool = False
    bundles_url: str = ""
    retrain: bool = True
    request_log: str = ""
    images: str = ""
    images_seconds: float = 0.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may ask for.

    Attributes:
        body_bytes: Largest body.
        rows: Most rows of one request.
        receive_seconds: How long a request may take to arrive.
        keep_alive_seconds: How long an idle connection is kept.
        connections: Most connections of one worker at once.
        waiting_per_client: Most samples that wait to be trained on, and labels that wait for their
            prediction, of one client.
    """

    body_bytes: int = 32 * MEGABYTE
    rows: int = 10_000
    receive_seconds: float = 30.0
    keep_alive_seconds: int = 75
    connections: int = 4096
    waiting_per_client: int = 100_000


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve.

    Attributes:
        targets: What; the first one also answers at the root.
        work_dir: Where journals and run files lie.
        store_url: The store, also of keys; may hold a password: never printed or put on a command line.
        host, port: Where to listen; port 0 takes a free one.
        workers: Worker processes.
        sync: Whether an answer waits until the disk has its log entry.
        drain_seconds: How long requests in flight may take when the server stops.
        log_level: Least severity logged.
        log_format: "text" or "json".
        auth: Who may ask: "off", "keys", "oidc" or "keys,oidc"; the rest of it is in the environment.
        insecure: Somebody else keeps strangers away.
        origins: Web pages that may send requests (CORS).
        certificate, private_key: Files for TLS; both or none.
        hsts: Seconds for which browsers are to insist on HTTPS; 0 says nothing.
        sagemaker: ``/invocations`` speaks SageMaker's protocol, not MLflow's.
        limits: What a client may ask for.
        retrain_threshold: New samples that start a retraining, shown in ``/metrics``.
        keep_days, keep_rows: Retention of the prediction log; ``None`` keeps all.
        traces: Send OpenTelemetry traces; where to is in the environment.
        monitor: Whether drift and quality are watched here.
    """

    targets: tuple[Target, ...]
    work_dir: str
    store_url: str
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    sync: bool = True
    drain_seconds: float = 20.0
    log_level: str = "info"
    log_format: str = "text"
    auth: str = "off"
    insecure: bool = False
    origins: tuple[str, ...] = ()
    certificate: str = ""
    private_key: str = ""
    hsts: int = 0
    sagemaker: bool = False
    limits: Limits = Limits()
    retrain_threshold: int | None = None
    keep_days: float | None = None
    keep_rows: int | None = None
    traces: bool = False
    monitor: bool = True

    @property
    def auth_on(self) -> bool:
        """Whether anybody is asked who they are."""
        return self.auth != "off"

    @property
    def store_urls(self) -> dict[str, str]:
        """Where the releases and predictions of each project are; those not here are in ``store_url``."""
        return {target.project: target.store_url for target in self.targets if target.store_url}

    @property
    def request_logs(self) -> dict[str, str]:
        """The files that also get the predictions of a project."""
        return {target.project: target.request_log for target in self.targets if target.request_log}

    @property
    def journals(self) -> Path:
        """Where the workers' journals lie."""
        return Path(self.work_dir) / "journal"


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """What one child process is told.

    Attributes:
        settings: How to serve.
        role: "worker", "keeper" or "monitor".
        slot: Which of the workers.
        listener: File descriptor of its listening socket; -1 for the others.
        status: File descriptor for its words to the supervisor, JSON lines.
        life: File descriptor that reads end-of-file when the supervisor is gone.
        run_dir: Folder of this server's run: what is live, and the counters.
    """

    settings: ServeSettings
    role: str
    slot: int = 0
    listener: int = -1
    status: int
    life: int
    run_dir: str

    @property
    def live(self) -> Path:
        """The file that says what is live."""
        return Path(self.run_dir) / "live.json"


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a child tells the supervisor.

    Attributes:
        state: "ready", or "failed" with why.
        reason, instruction, details, code: Of the error.
        versions: Ready: what is served, by name.
        bundle: Ready: where the first one lies.
    """

    state: str
    reason: str = ""
    instruction: str = ""
    details: tuple[str, ...] = ()
    code: int = 0
    versions: dict[str, int] = {}
    bundle: str = ""

    @classmethod
    def failed(cls, error: ModelwrightError) -> Word:
        """Why the child gives up."""
        return cls(
            state="failed",
            reason=error.reason,
            instruction=error.instruction,
            details=error.details,
            code=int(error.code),
        )
