"""HTTP/1.1 connections: uvicorn's, with the offers of HTTP/2 left out and with limits on half-sent headers."""

import logging
import re
import resource
import time
from asyncio import AbstractEventLoop, Transport
from asyncio.events import TimerHandle
from typing import Any

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from fieldtune.serve.schema import ApiError

_LINGER = 1.0  # seconds that an idle connection is kept when the server stops
_HEAD_SECONDS = 20.0  # that the head of a request may take from its first byte
_HEAD_BYTES = 64 * 1024  # of a head; as h11 has it
_PATIENCE = 2.0  # seconds that a head may take even if too many connections are in the middle of theirs

_END = b"\r\n\r\n"
_UPGRADE = b"upgrade:"
_UPGRADE_LINE = re.compile(rb"^upgrade:[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_REASONS = {408: b"Request Timeout", 431: b"Request Header Fields Too Large"}

log = logging.getLogger(__name__)


class UpgradeFilter:
    """Takes the header `Upgrade` out of heads, piece by piece as they arrive.

    A server that does not take the offer of another protocol answers as if it had not been made (RFC 9110, 7.8).
    httptools stops reading at such a head instead, and its body is lost.
    """

    def __init__(self) -> None:
        self._seen = b""  # the last bytes of the head, in which its end may have begun
        self._held = b""  # the beginning of a line that may be the header
        self._line_start = True  # the next byte begins a line

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Split a piece that begins in a head, or before one: what the parser may see of the head, and what follows."""
        seen = self._seen + data
        end = seen.find(_END)
        cut = len(data) if end < 0 else end + len(_END) - len(self._seen)
        self._seen = b"" if end >= 0 else seen[1 - len(_END) :]
        return self._strip(data[:cut]), data[cut:]

    def _strip(self, data: bytes) -> bytes:
        data, self._held = self._held + data, b""
        first = 0 if self._line_start else data.find(b"\n") + 1 or len(data)
        middle, lines = data[:first], data[first:]
        last = lines[lines.rfind(b"\n") + 1 :]
        if last and last[: len(_UPGRADE)].lower() == _UPGRADE[: len(last)]:
            lines, self._held = lines[: len(lines) - len(last)], last
        self._line_start = bool(self._held) or data.endswith(b"\n")
        return middle + _UPGRADE_LINE.sub(b"", lines)


class Connection(HttpToolsProtocol):
    """A connection whose client may offer HTTP/2, send its headers slowly or never, and come while the server stops.

    When the server stops, a request that is on its way over a connection that was kept open is still answered: uvicorn
    closes idle connections at once, and such a request would be lost.
    """

    # Connections of this process in the middle of a head, with the time of its first byte, oldest first.
    _in_head: "dict[Connection, float]" = {}  # noqa: RUF012

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._filter: UpgradeFilter | None = UpgradeFilter()  # None: in a body
        self._head_bytes = 0
        self._head_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Whoever connects and sends nothing is idle, as after an answer.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave_head()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        while data and not self.transport.is_closing():
            if self._filter is None:
                super().data_received(data)
                return
            if self._head_timer is None:
                self._enter_head()
            head, data = self._filter.split(data)
            self._head_bytes += len(head)
            super().data_received(head)
        # The head is not complete if its timer runs.
        if self._head_timer is not None and self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"the request's headers are larger than {_HEAD_BYTES:,} bytes")

    def on_headers_complete(self) -> None:
        self._filter = None
        self._leave_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._filter = UpgradeFilter()
        super().on_message_complete()

    def shutdown(self) -> None:
        self.app_state["draining"] = True  # each answer now closes its connection
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LINGER, super().shutdown)
        else:
            super().shutdown()

    def _enter_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(
            _HEAD_SECONDS, self._refuse, 408, f"the request's headers were not complete after {_HEAD_SECONDS:.0f} s"
        )
        now = time.monotonic()
        self._in_head[self] = now
        oldest, since = next(iter(self._in_head.items()))
        if len(self._in_head) > most_half_sent() and now - since > _PATIENCE:
            oldest._refuse(408, "too many clients have sent a part of their headers, and this one has waited longest")

    def _leave_head(self) -> None:
        self._in_head.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, message: str) -> None:
        """Answer a request without a complete head, and close."""
        self._leave_head()
        log.warning("headers refused", extra={"fields": {"status": status, "reason": message}})
        if self.cycle is not None and not self.cycle.response_complete:  # the answer before this one closes
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        body = orjson.dumps(ApiError(status, message).body)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, _REASONS[status], len(body), body)
        )
        self.transport.close()


def most_half_sent() -> int:
    """The connections that may be in the middle of a head: a quarter of the files that the process may open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1024 if files == resource.RLIM_INFINITY else max(8, min(1024, files // 4))
