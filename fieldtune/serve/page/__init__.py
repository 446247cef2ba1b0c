"""The search page at `/`: its files, and the headers under which a browser opens them."""

from importlib.resources import files

from starlette.responses import Response

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def headers(base_uri: str, cache_control: str) -> dict[str, str]:
    """The headers of a page of ours: nothing runs or loads except its own files, and no text can become HTML (Trusted
    Types).
    """
    return {
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            f"base-uri {base_uri}; form-action 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": cache_control,
    }


_HEADERS = headers(base_uri="'self'", cache_control="no-cache")
PAGE = "search.html"
NAMES = (PAGE, "search.css", "search.js", "icon.svg")


def is_wanted(accept: str) -> bool:
    """Tell if a client asks for a page by name, as browsers do; curl and load balancers take anything, or nothing."""
    return any(part.split(";")[0].strip().lower() == "text/html" for part in accept.split(","))


def file(name: str, prefix: str = "") -> Response:
    """The answer with one of NAMES. `prefix`: of the paths, if a proxy leaves it on, as the page's links need it."""
    text = (files(__name__) / name).read_text(encoding="utf-8")
    if name == PAGE and prefix:
        text = text.replace("<head>", f'<head>\n<base href="{prefix}/">', 1)
    sent = {**_HEADERS, "vary": "Accept"} if name == PAGE else _HEADERS
    return Response(text, headers=sent, media_type=_TYPES[name.rpartition(".")[2]])
