"""The process that a judging runs in: a link to open, a server until Ctrl-C."""

import os
import platform
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import uvicorn

from fieldtune.judging.app import create_app
from fieldtune.judging.journal import Journal
from fieldtune.judging.ranker import Load, Ranker
from fieldtune.judging.session import Session
from fieldtune.runtime.errors import UserError
from fieldtune.serve.connection import Connection
from fieldtune.serve.server import listen

TOKEN = "FIELDTUNE_JUDGE_TOKEN"  # environment variable: links stay valid when the server is started again
PORT = 8765
_LEAST_TOKEN = 16  # characters
_LOADED_UNSEEN = 50  # tenths of a second, after which models are loaded although nobody has opened the page


@dataclass(frozen=True)
class Judging:
    """The queries to judge, and the files of their judgements."""

    queries: list[str]  # in the order of judging
    typed: Path | None  # the file of typed queries; None: no query is typed
    journal: Path
    out: Path


def token() -> str:
    """The token of the links: the environment's, otherwise one that nobody can guess.

    Raises UserError for a short one.
    """
    given = os.environ.get(TOKEN, "").strip()
    if given and len(given) < _LEAST_TOKEN:
        raise UserError(f"{TOKEN} has {len(given)} characters: give at least {_LEAST_TOKEN}, or unset it")
    return given or secrets.token_urlsafe(24)


def link(host: str, port: int, secret: str, person: str) -> str:
    """The page's address. What stands behind the `#` stays in the browser: it is in no log."""
    shown = platform.node() if host in ("0.0.0.0", "::") else host
    name = f"&name={quote(person)}" if person else ""
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/#token={quote(secret)}{name}"


def serve(
    judging: Judging, load: Load, top: int, host: str, port: int | None, secret: str, opened: Callable[[int], None]
) -> dict[str, int]:
    """Serve the page until SIGINT or SIGTERM; return the number of queries by outcome.

    `secret` is the token of the links. `opened` gets the port as soon as the page can be opened. `load` runs once the
    page is there, since imports and models hold up everything else in the process for seconds.
    Raises UserError if the address or the journal is in use, and what `load` or a ranking raises.
    """
    journal = Journal(judging.journal)
    ranker = Ranker(load, top)
    try:
        listening = _listen(host, port)
        session = Session(journal, judging.out, judging.queries, ranker, judging.typed)
        config = uvicorn.Config(
            create_app(session, secret, host),
            http=Connection,
            loop="uvloop",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
        with listening:
            opened(listening.getsockname()[1])
            _run(_Server(config, session, ranker), listening)
    finally:
        ranker.close()
        journal.close()
    if ranker.failure is not None:
        raise ranker.failure
    return session.counts()


class _Server(uvicorn.Server):
    """uvicorn's server, which also loads what ranks when the page is there, and ends if there is nothing to show."""

    def __init__(self, config: uvicorn.Config, session: Session, ranker: Ranker) -> None:
        super().__init__(config)
        self._session = session
        self._ranker = ranker

    async def on_tick(self, counter: int) -> bool:
        """Start the ranker in time; uvicorn calls this ten times per second, for the `counter`th time. True ends the
        server.
        """
        if self._session.was_opened or counter >= _LOADED_UNSEEN:
            self._ranker.start()
        return self._ranker.failure is not None or await super().on_tick(counter)


def _listen(host: str, port: int | None) -> socket.socket:
    """Listen on the port; on the usual one if none is given, or on any that is free."""
    if port is not None:
        return listen(host, port)
    try:
        return listen(host, PORT)
    except UserError:
        return listen(host, 0)


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    """Run until a signal. uvicorn raises it again when it is done, which would turn a clean end into a death."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
