"""The way to a server: its URL and key as they may be sent, the HTTP client, and why there is no connection."""

import os
import re
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial

import aiohttp
import certifi
import httpx2
from anthropic import DefaultAioHttpClient

from fieldtune.buying.refusals import BrokenError, Server, UnclearError, shown
from fieldtune.runtime.errors import UserError

CONNECT = 30.0  # seconds until there is a connection, at most
_LOOPBACK = re.compile(r"localhost|0\.0\.0\.0|.*\.localhost|127(\.\d{1,3}){3}|::1|\[::1\]")
_NOT_IN_A_HEADER = re.compile(r"[^\x21-\x7e]")


def checked_url(url: str, place: str) -> str:
    """The URL of a server, without a slash at its end; `place` is where it was set.

    Raises UserError if it is not one that requests can go to.
    """
    try:
        parts = urllib.parse.urlsplit(url.strip())
        host, _ = parts.hostname, parts.port  # a port that is not a number raises
    except ValueError:
        raise UserError(f"{place} is not a URL: {shown(url)}") from None
    if parts.scheme not in ("http", "https"):
        raise UserError(f"{place} is {shown(url)}: it must begin with http:// or https://")
    if not host or re.search(r"\s", url.strip()) or parts.query or parts.fragment:
        raise UserError(f"{place} is not the URL of a server: {shown(url)}")
    return url.strip().rstrip("/")


def checked_key(key: str, variable: str) -> str:
    """A key without white space around it. Raises UserError if no header can hold it."""
    key = key.strip()
    if (wrong := _NOT_IN_A_HEADER.search(key)) is not None:
        what = {"\n": "a line break", "\r": "a line break", " ": "a blank"}.get(wrong[0], "a character of no key")
        raise UserError(f"{variable} has {what} in it, at place {wrong.start() + 1}: set it to the key alone")
    return key


def custom_headers() -> dict[str, str]:
    """The headers of ANTHROPIC_CUSTOM_HEADERS, as the official client reads them. Raises UserError for a wrong one."""
    headers = {}
    for number, line in enumerate(os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").split("\n"), 1):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not line.strip():
            continue
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch("[ -~]*", value):
            raise UserError(f"ANTHROPIC_CUSTOM_HEADERS, line {number}: it is not a header, which is `name: value`")
        headers[name] = value
    return headers


def http_client(server: Server, timeouts: httpx2.Timeout) -> httpx2.AsyncClient:
    """The HTTP client for a server: over aiohttp, through the environment's proxies, which loopback never is.

    Raises UserError if a proxy of the environment is not one that aiohttp can use.
    """
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(certifi.where())  # some Pythons know no authorities of their own
    host = urllib.parse.urlsplit(server.url).hostname or ""
    through_proxy = not _LOOPBACK.fullmatch(host)
    if through_proxy:
        _check_proxy(server.url)
    return DefaultAioHttpClient(
        trust_env=through_proxy,
        verify=trusted,
        timeout=timeouts,
        event_hooks={"response": [partial(_refuse_redirect, server)]},
    )


def _check_proxy(url: str) -> None:
    """Raise UserError if the environment names a proxy for a URL that cannot be one."""
    parts, proxies = urllib.parse.urlsplit(url), urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
        return
    variables = f"{parts.scheme.upper()}_PROXY or ALL_PROXY"
    try:
        at = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        usable = bool(at.hostname) and at.port != 0  # a port that is not a number raises
    except ValueError:
        usable = False
    if not usable:
        raise UserError(f"{variables} is not the URL of a proxy: set it to http://host:port")
    if at.scheme not in ("http", "https"):
        raise UserError(f"{variables} names a proxy of {at.scheme}, which is not supported: set one of http://")


async def _refuse_redirect(server: Server, response: httpx2.Response) -> None:
    """Raise UserError for a redirect by which the documents would go elsewhere, or the request would change."""
    if not response.has_redirect_location:
        return
    to = response.url.join(response.headers["location"])
    same = (to.scheme, to.host, to.port) == (response.url.scheme, response.url.host, response.url.port)
    if not same or response.status_code not in (307, 308):
        where = f"{to.scheme}://{to.host}" + (f":{to.port}" if to.port else "")
        raise UserError(
            f"{response.url.scheme}://{response.url.host} redirects requests to {where} ({response.status_code}): set "
            f"{server.settings.url} in {server.settings.file} to where they are answered"
        )


def connection_failure(error: BaseException, url: str) -> Exception:
    """The exception for a request that the official client could not send, or whose reply did not arrive."""
    causes = list(_causes(error))
    for cause in causes:
        if failure := _known_failure(cause, url):
            return failure
    if any(isinstance(cause, (aiohttp.ClientError, httpx2.HTTPError, OSError)) for cause in causes):
        return UnclearError("the connection broke")
    kind = type(causes[-1]).__name__  # its message may hold what was to be sent
    return UserError(f"a request to {url} cannot be sent ({kind})")


def _known_failure(cause: BaseException, url: str) -> Exception | None:
    """The exception for a cause by which nothing was sent, or a redirect that is not followed."""
    failure: Exception | None = None
    match cause:
        case UserError():
            failure = cause
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(cause.certificate_error, "verify_message", "unknown")
            failure = UserError(
                f"the certificate of {url} is not trusted ({reason}); if a proxy looks into connections, name a "
                "file with its authority's certificate in the environment variable SSL_CERT_FILE"
            )
        case aiohttp.ClientProxyConnectionError():
            reason = _socket_failure(cause.os_error)
            failure = BrokenError(f"no connection to the proxy {cause.host}:{cause.port} ({reason})")
        case aiohttp.ClientConnectorError():
            failure = BrokenError(f"no connection to {url} ({_socket_failure(cause.os_error)})")
        case aiohttp.ClientHttpProxyError():
            failure = BrokenError(f"the proxy on the way to {url} lets no request through ({cause.status})")
        case httpx2.ConnectTimeout():
            failure = BrokenError(f"no connection to {url} in time")
    return failure


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _socket_failure(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}"
    if isinstance(error, socket.gaierror):  # its numbers are not those of other errors
        return "no such host" if error.errno == socket.EAI_NONAME else str(error.strerror)
    return os.strerror(error.errno) if error.errno else "no such host"
