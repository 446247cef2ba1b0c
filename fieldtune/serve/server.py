"""The process, or processes, that the service runs in: listening, workers, and shutdown."""

import logging
import os
import signal
import socket
import sys
import tempfile
from functools import partial

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from fieldtune.runtime.errors import UserError
from fieldtune.serve import backends, exported, logs
from fieldtune.serve.connection import Connection
from fieldtune.serve.settings import ServeSettings, api_key

_BACKLOG = 2048  # connections that wait to be accepted

log = logging.getLogger(__name__)


class _Workers(Multiprocess):
    """uvicorn's supervisor, which restarts dead workers."""

    def terminate_all(self) -> None:
        # Otherwise clients would go on connecting to a socket that nobody accepts from.
        for listening in self.sockets:
            listening.close()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            log.warning("a worker died and was replaced", extra={"fields": {"process": pid}})
            mark_process_dead(pid)  # type: ignore[no-untyped-call]  # otherwise its requests in flight would count forever


def serve(settings: ServeSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    Raises UserError if the export is incomplete or the address is in use.
    """
    logs.configure()
    api_key()
    one = settings.workers == 1
    if one:
        from fieldtune.serve.app import create_app

        app: ASGIApp | partial[ASGIApp] = create_app(settings)
    else:
        backends.choose(exported.read(settings.folder), settings.model)  # a mistake is reported once, not per worker
        app = partial(_in_worker, settings)
    listening = listen(host, port)
    config = uvicorn.Config(
        app,
        factory=not one,
        interface="asgi3",
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="on",
        workers=settings.workers,
        timeout_worker_healthcheck=30,  # seconds; a worker that does not answer within them is killed
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # longer than load balancers keep theirs, or they would send into a closed one
    )
    host, port = listening.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    log.info("listening", extra={"fields": {"url": url, "workers": settings.workers}})
    # uvicorn raises the signal again when it is done, which would turn a clean exit into a death by signal.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    if one:
        uvicorn.Server(config).run(sockets=[listening])
        return
    with tempfile.TemporaryDirectory(prefix="fieldtune-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        workers = _Workers(config, sockets=[listening])
        workers.run()
    if any(process.exitcode == STARTUP_FAILURE for process in workers.processes):
        raise UserError("the workers did not start: see the log above")


def _in_worker(settings: ServeSettings) -> ASGIApp:
    logs.configure()
    from fieldtune.serve.app import create_app

    try:
        return create_app(settings)
    except Exception as error:
        if isinstance(error, UserError):
            log.error(str(error))
        else:
            log.exception("the worker failed")
        sys.exit(STARTUP_FAILURE)  # the supervisor ends instead of restarting it


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UserError if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "invalid port"
        raise UserError(f"cannot listen on {host}:{port}: {reason}; choose others with --host and --port") from error
    listening.set_inheritable(True)
    return listening
