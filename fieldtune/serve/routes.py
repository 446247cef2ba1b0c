"""Paths as clients and proxies send them, and those that the service has."""

import re

V1 = ("/v1/embeddings", "/v1/search", "/v1/compare", "/v1/models")
WATCHED = ("/health", "/ready", "/metrics")  # polled every few seconds by machines: not in the log
ALL = (*V1, *WATCHED, "/openapi.json")


def canonical(path: str, prefix: str = "") -> str:
    """The route that is meant: without a proxy's prefix, double and trailing slashes, and with a missing /v1."""
    path = "/" + re.sub(r"/{2,}", "/", path).strip("/")
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path.removeprefix(prefix) or "/"
    while path.startswith("/v1/v1/"):  # the base URL and the client have both added it
        path = path.removeprefix("/v1")
    if any(f"/v1{path}" == known or f"/v1{path}/".startswith("/v1/models/") for known in V1):
        return f"/v1{path}"
    return path


def hint(path: str) -> str:
    """The path to ask for instead of one that does not exist."""
    last = path.rstrip("/").rpartition("/")[2]
    meant = next((known for known in ALL if known.endswith(f"/{last}")), None)
    if meant is None:
        return f"available: {', '.join(ALL)}"
    before = path.partition(meant)[0] if meant in path else ""
    return f"did you mean {meant}?" + (
        f" If a proxy adds {before}: `fieldtune serve --prefix {before}`" if before else ""
    )
