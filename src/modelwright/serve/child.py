"""``python -m modelwright.serve.child``: a worker, the keeper or the monitors, as the supervisor starts them.

What it is told stands on its standard input, one line of JSON: a store's URL holds a password, and a
command line is everybody's to read.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.serve.logs import configure_logging
from modelwright.serve.settings import Child, Word


def main() -> int:
    """Be what standard input says."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    child = msgspec.json.decode(sys.stdin.buffer.readline(), type=Child)
    configure_logging(child.settings.log_level, child.settings.log_format)

    def tell(word: Word) -> None:
        with contextlib.suppress(OSError):  # the supervisor is gone; the life pipe says so too
            os.write(child.status, msgspec.json.encode(word) + b"\n")

    if child.role != "worker":
        _keep(child, tell)
        return 0
    from modelwright.serve.worker import run_worker

    return run_worker(child, tell)


def _keep(child: Child, tell: Callable[[Word], None]) -> None:
    stop = threading.Event()
    again = threading.Event()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, lambda *_: again.set())

    def stopped(seconds: float) -> bool:
        ready, _, _ = select.select([child.life, wake_read], [], [], seconds)
        if child.life in ready:
            stop.set()
        if wake_read in ready:
            os.read(wake_read, 512)
        return stop.is_set()

    def asked_again() -> bool:
        asked = again.is_set()
        again.clear()
        return asked

    # Imported here: signals are heeded first, so that a stop in the meantime still ends in a delivery.
    if child.role == "monitor":
        from modelwright.serve.keeping.monitoring import run_monitor

        run_monitor(child, stopped)
        return
    from modelwright.serve.keeping.opening import first_look

    try:
        opened = first_look(child, stopped)
    except ModelwrightError as error:
        tell(Word.failed(error))
        return
    # And this then: workers, who need to know what is live, do not wait for it.
    from modelwright.serve.keeping.keeper import run_keeper

    run_keeper(child, opened, tell, stopped, asked_again)


if __name__ == "__main__":
    sys.exit(main())
