"""The search page at `/`: its files, and the headers under which a browser opens them."""

from importlib.resources import files

from starlette.responses import Response

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
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
    headers = {**_HEADERS, "Vary": "Accept"} if name == PAGE else _HEADERS
    return Response(text, headers=headers, media_type=_TYPES[name.rpartition(".")[2]])
