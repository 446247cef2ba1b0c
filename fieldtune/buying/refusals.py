"""Failures of a request, and whether it may have been billed. No message here holds text of a passage or a
reply: of the server's words only the name of a field of our own request, and sentences that are known, are passed on.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from fieldtune.runtime.errors import UserError

MESSAGES = "/v1/messages"
EMBEDDINGS = "/embeddings"  # after a base URL
LONGEST_WAIT = 600.0  # seconds; a server that asks for more is asked again after it
_LIMITS = re.compile(
    r"You have reached your (?:\w+ ){0,3}API usage limits\.(?: You will regain access on [\d-]+ at [\d:]+ UTC\.)?"
)
_TOO_LONG = re.compile(r"prompt is too long|context (?:length|size|window)|too many (?:input )?tokens", re.IGNORECASE)
_STATUS = {  # of a type of error that comes with status 200
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# The settings that leave out a field which some servers do not know
_WITHOUT = {
    "output_config": "set `output_config: none`",
    "response_format": "set `output_config: none`",
    "thinking": "set `thinking: default`",
}


class RefusedError(Exception):
    """The server takes no more requests now (429, 529); nothing was billed."""

    def __init__(self, reason: str, retry_after: float | None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after  # seconds


class BrokenError(Exception):
    """The server failed (5xx and the like); nothing was billed, and another attempt may succeed."""


class UnclearError(Exception):
    """There was no whole reply: it may have been billed, and another attempt may succeed."""


class RejectedError(Exception):
    """The server takes no such request; nothing was billed, and another attempt would not succeed."""

    def __init__(self, code: str, what: str = "", remedy: str = "") -> None:
        super().__init__(f"{code}: {what}" if what else code)
        self.what = what  # a field of ours, or what is wrong with all of it; empty: unknown
        self.remedy = remedy  # the setting that leaves out what was refused; empty: none is known


class NotThereError(UserError):
    """The server does not know what was asked for (404)."""


def bare_url(url: str) -> str:
    """A server's URL without a slash or /v1 at its end."""
    return url.strip().rstrip("/").removesuffix("/v1").rstrip("/")


def shown(url: str) -> str:
    """A URL without the user and password that may be in it."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


@dataclass(frozen=True)
class Settings:
    """The names of a server's settings and of the file that they stand in, for messages."""

    file: str = "conf/generator/"
    url: str = "messages.base_url"
    key: str = "messages.key_variable"
    model: str = "messages.model"
    other_protocol: str = "; if it speaks OpenAI's API only, set messages.protocol to openai"  # a remedy for 404


@dataclass(frozen=True)
class Server:
    """A server as messages name it."""

    url: str
    key_variable: str | None = None  # the environment variable with its key; None: it is asked without one
    own: bool = False  # `local`
    model: str = ""
    settings: Settings = Settings()

    def __str__(self) -> str:
        return shown(self.url)


@dataclass(frozen=True)
class _Error:
    """The contents of a refusal's body."""

    kind: str = ""  # its type, if that is a single word
    message: str = ""
    field: str = ""  # of our request, that it names
    in_json: bool = False


def refusal(
    server: Server, path: str, status: int, body: bytes, fields: Collection[str], retry_after: float | None = None
) -> Exception:
    """The exception for a reply that refuses a request to `path`, with a `status` of 400 or more.

    `fields` are the names of the request's fields, as `field_names` gives them.
    """
    error = _read(body, fields)
    code = f"{status} {error.kind}".strip()
    if status in (429, 529):
        return RefusedError(code, retry_after)
    if status >= 500 or status in (408, 409):
        return BrokenError(code)
    return _stopping(server, path, status, code, error) or _rejection(server, code, error)


def _stopping(server: Server, path: str, status: int, code: str, error: _Error) -> UserError | None:
    """The exception for a refusal that each further request would meet; None for one of this request."""
    stops = {
        401: _key_refused,
        403: _forbidden if error.in_json else _blocked,
        404: _not_there,
        405: _not_there,
        407: _proxy_wants_credentials,
    }
    if status in stops:
        return stops[status](server, path, code, error.message)
    if status == 402 or "credit balance" in error.message:
        return UserError(f"{server}: the account has no credit left ({code}): add some, then run again")
    if limits := _LIMITS.search(error.message):
        return UserError(f"{server} says: {limits[0]} ({code})")
    return None


def _rejection(server: Server, code: str, error: _Error) -> RejectedError:
    if error.field:
        name = error.field.partition(".")[0]
        remedy = _WITHOUT.get(name, f"change `{error.field}`")
        return RejectedError(
            code, error.field, "" if name in ("messages", "system") else f"{remedy} in {server.settings.file}"
        )
    if _TOO_LONG.search(error.message):
        return RejectedError(code, "longer than the model's context", "raise the server's context length")
    return RejectedError(code)


def status_of_error(reply: Any) -> int | None:
    """The status that belongs to an error, which a gateway may send with status 200; None for any other reply."""
    if not isinstance(reply, dict) or not isinstance(reply.get("error"), dict):
        return None
    return _STATUS.get(str(reply["error"].get("type")), 500)


def page_in_reply(server: Server, body: bytes) -> UserError | None:
    """The exception for a web page in place of a reply, such as a login page; None for anything else."""
    if not re.match(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml)", body[:200], re.IGNORECASE):
        return None
    return UserError(
        f"{server} answers with a web page, not as an API: check {server.settings.url} in {server.settings.file}, and "
        "that no login page of the network stands between"
    )


def field_names(request: Mapping[str, Any]) -> set[str]:
    """The names of a request's fields, those inside of others with a dot: `output_config.format`."""
    names: set[str] = set()

    def add(value: Mapping[str, Any], prefix: str) -> None:
        for name, inner in value.items():
            names.add(prefix + name)
            if isinstance(inner, Mapping):
                add(inner, f"{prefix}{name}.")

    add(request, "")
    return names


def _read(body: bytes, fields: Collection[str]) -> _Error:
    """Read the error of the Messages API, of OpenAI's, of FastAPI (a list of `detail`) or of Ollama (a bare text)."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return _Error()
    if not isinstance(data, dict):
        return _Error()
    details = data.get("detail")
    if isinstance(details, list) and details and isinstance(details[0], dict):
        where = ".".join(str(part) for part in details[0].get("loc") or () if part != "body")
        return _Error(field=_known(where, fields), in_json=True)
    error = data.get("error", data)
    if not isinstance(error, dict):
        error = {"message": error}
    message = str(error.get("message") or details or "")
    kind = str(error.get("type") or "")
    field = _known(str(error.get("param") or ""), fields) or _named(message, fields)
    # Its own vocabulary alone
    return _Error(kind if re.fullmatch("[A-Za-z_]{1,40}", kind) else "", message, field, in_json=True)


def _named(message: str, fields: Collection[str]) -> str:
    """The field that a message is about: what stands before its first colon, or one that it names elsewhere."""
    if field := _known(message.partition(":")[0].strip(), fields):
        return field
    return next((name for name in _WITHOUT if name in fields and re.search(rf"\b{name}\b", message)), "")


def _known(path: str, fields: Collection[str]) -> str:
    """The longest beginning of a dotted path that is a field of the request; empty if none is."""
    while path and path not in fields:
        path = path.rpartition(".")[0]
    return path


def _key_refused(server: Server, path: str, code: str, message: str) -> UserError:
    if server.key_variable is None:
        return UserError(
            f"{server} wants a key ({code}): set {server.settings.key} in {server.settings.file} to the name of an "
            "environment variable that holds it"
        )
    gateway = "" if server.own else ", and ANTHROPIC_CUSTOM_HEADERS if a gateway wants other headers"
    return UserError(
        f"{server} does not accept the API key ({code}): check the environment variable {server.key_variable}{gateway}"
    )


def _forbidden(server: Server, path: str, code: str, message: str) -> UserError:
    if server.own or code.endswith(("403", "authentication_error", "permission_error")):
        return _key_refused(server, path, code, message)
    return UserError(
        f"{server} takes no requests from here ({code}): the country or the network is not allowed, or the key in "
        f"{server.key_variable} lacks the right"
    )


def _blocked(server: Server, path: str, code: str, message: str) -> UserError:
    headers = "" if server.own else ", or set the headers that it wants in ANTHROPIC_CUSTOM_HEADERS"
    return UserError(
        f"{server}: a proxy or gateway on the way refuses the request ({code}, not in the API's JSON): have it allowed "
        f"there{headers}"
    )


def _not_there(server: Server, path: str, code: str, message: str) -> UserError:
    if path.endswith("/batches"):
        return NotThereError(f"{server} has no Message Batches ({code}): choose `generator: claude`")
    if server.model and re.search(r"\bmodel\b", message) and server.model in message:
        return NotThereError(
            f"{server} does not know the model {server.model} ({code}): "
            + ("pull it there, or set" if server.own else "set")
            + f" {server.settings.model} in {server.settings.file}"
        )
    settings = server.settings
    other = settings.other_protocol if server.own else ""
    return NotThereError(
        f"{server} does not know the model, or is not a server of the {_api(path)} ({code}): check "
        f"{settings.model} and {settings.url} in {settings.file}{other}"
    )


def _proxy_wants_credentials(server: Server, path: str, code: str, message: str) -> UserError:
    return UserError(
        f"the proxy on the way to {server} wants credentials ({code}): put them into HTTPS_PROXY or HTTP_PROXY, as "
        "http://user:password@host:port"
    )


def _api(path: str) -> str:
    names = {MESSAGES: "Messages API", EMBEDDINGS: "embeddings API"}
    return next((name for start, name in names.items() if path.startswith(start)), "chat completions API")
