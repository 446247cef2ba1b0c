"""A server that speaks as much of the Hugging Face Hub's API as it takes to push a model, and to download one."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN, OWNER = "hf_right", "me"
COMMIT = "a" * 40


@dataclass
class Published:
    """A model that anybody may download, or, if it is gated, whoever has the token."""

    files: dict[str, bytes]
    commit: str = COMMIT  # of the branch main, and the only one
    card: dict[str, Any] = field(default_factory=lambda: {"license": "mit", "language": ["en"]})
    gated: bool = False
    damaged: set[str] = field(default_factory=set)  # files that arrive with another last byte


@dataclass
class Hub:
    """What was pushed, and what may be downloaded."""

    url: str = ""
    published: dict[str, Published] = field(default_factory=dict)  # by repository
    requests: list[str] = field(default_factory=list)  # method, path and range of each
    seconds: float = 0.0  # that each 64 KiB of a download take
    private: dict[str, bool] = field(default_factory=dict)  # by repository
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)  # by repository, then path
    objects: dict[str, bytes] = field(default_factory=dict)  # of LFS, by sha256
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)  # status and words, by the end of a path


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path} {self.headers.get('range', '')}".rstrip())
        for name, model in self.hub.published.items():
            for start in (f"/api/models/{name}", f"/{name}/resolve"):
                if self.path.startswith((f"{start}/", f"{start}?")) or self.path == start:
                    return self._download(model, name, self.path.removeprefix(start).partition("?")[0])
        if "authorization" not in self.headers:  # a repository that does not exist or is private
            content = json.dumps({"error": "Invalid username or password."}).encode()
            return self._send(401, content, {"X-Error-Code": "RepoNotFound"})
        if not self._known():
            return self._answer(401, {"error": "Invalid credentials in Authorization header"})
        if "/resolve/" in self.path:
            name, path = self.path.removeprefix("/").split(f"/resolve/{COMMIT}/")
            content = self.hub.files[name][path]
            etag = hashlib.sha256(content).hexdigest()
            return self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        name = self.path.removeprefix("/api/models/").partition("?")[0]
        if name not in self.hub.private:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        siblings = [{"rfilename": path} for path in self.hub.files[name]]
        private = self.hub.private[name]
        return self._answer(200, {"id": name, "private": private, "sha": COMMIT, "siblings": siblings})

    def _download(self, model: Published, name: str, rest: str) -> None:
        parts = rest.strip("/").split("/")
        if self.path.startswith("/api/"):
            parts = parts[1:]  # `revision` or `tree`
        revision = parts[0] if parts and parts[0] else "main"
        if revision not in ("main", model.commit):
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if not self.path.startswith("/api/"):
            if model.gated and not self._known():
                return self._send(401, b"{}", {"X-Error-Code": "GatedRepo"})
            return self._file(model, "/".join(parts[1:]))
        if "/tree/" in self.path:
            return self._answer(200, [_entry(path, content) for path, content in model.files.items()])
        siblings = [_sibling(path, content) for path, content in model.files.items()]
        about = {"id": name, "sha": model.commit, "siblings": siblings, "cardData": model.card, "private": False}
        return self._answer(200, {**about, "gated": "manual" if model.gated else False})

    def _file(self, model: Published, path: str) -> None:
        """A file, or the rest of it from a byte on."""
        content = model.files[path]
        headers = {"ETag": f'"{_etag(path, content)}"', "X-Repo-Commit": model.commit, "Accept-Ranges": "bytes"}
        if path in model.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        status, start = 200, 0
        if wanted := self.headers.get("range"):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(status, content[start:], headers)

    def do_PUT(self) -> None:
        content = self._content()
        self.hub.objects[hashlib.sha256(content).hexdigest()] = content
        self._answer(200, {})

    def do_POST(self) -> None:
        content = self._content()
        if not self._refuse():
            self._post(content)

    def _refuse(self) -> bool:
        refusal = next((each for end, each in self.hub.refusals.items() if self.path.endswith(end)), None)
        if refusal is None:
            return False
        status, words = refusal
        body = {"error": words, "errors": [{"message": words}], "warnings": []}
        self._send(status, json.dumps(body).encode(), {"X-Error-Message": words, "Retry-After": "1"})
        return True

    def _post(self, content: bytes) -> None:
        if self.path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if not self._known():
            return self._answer(401, {"error": "Invalid credentials in Authorization header"})
        if self.path == "/api/repos/create":
            return self._create(json.loads(content))
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{each['oid']}"}}}
                for each in json.loads(content)["objects"]
            ]
            return self._answer(200, {"transfer": "basic", "objects": objects})
        name, _, action = self.path.removeprefix("/api/models/").removesuffix("/main").rpartition("/")
        if action == "preupload":
            requested = json.loads(content)["files"]
            modes = {
                each["path"]: "lfs" if each["path"].endswith((".onnx", "tensors")) else "regular" for each in requested
            }
            answer = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
            return self._answer(200, {"files": answer})
        assert action == "commit", self.path
        for line in content.splitlines():
            self._commit(self.hub.files[name], **json.loads(line))
        return self._answer(200, {"commitUrl": f"{self.hub.url}/{name}/commit/abc", "commitOid": COMMIT})

    def _create(self, body: dict[str, Any]) -> None:
        if body["organization"] != OWNER:
            return self._answer(403, {"error": f"You don't have the rights to create under {body['organization']}"})
        name = f"{body['organization']}/{body['name']}"
        status = 409 if name in self.hub.private else 200
        self.hub.private.setdefault(name, body["visibility"] == "private")
        self.hub.files.setdefault(name, {".gitattributes": b""})
        return self._answer(status, {"url": f"{self.hub.url}/{name}", "id": "1"})

    def _commit(self, there: dict[str, bytes], key: str, value: dict[str, Any]) -> None:
        if key == "file":
            there[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            there[value["path"]] = self.hub.objects[value["oid"]]
        elif key == "deletedFile":
            del there[value["path"]]

    def _known(self) -> bool:
        return self.headers.get("authorization") == f"Bearer {TOKEN}"

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _answer(self, status: int, body: object) -> None:
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for header, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        for begin in range(0, len(content), 1 << 16):
            self.wfile.write(content[begin : begin + (1 << 16)])
            time.sleep(self.hub.seconds)

    def log_message(self, *_: object) -> None:
        pass


def _is_large(path: str) -> bool:
    return path.endswith((".safetensors", ".bin"))


def _etag(path: str, content: bytes) -> str:
    """SHA-256 of a large file; git's SHA-1 of a small one."""
    if _is_large(path):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    """A file in the listing of a tree."""
    large = {"lfs": {"oid": _etag(path, content), "size": len(content), "pointerSize": 130}}
    oid = "0" * 40 if _is_large(path) else _etag(path, content)
    return {"type": "file", "path": path, "size": len(content), "oid": oid} | (large if _is_large(path) else {})


def _sibling(path: str, content: bytes) -> dict[str, Any]:
    """A file in the description of a model."""
    large = {"lfs": {"sha256": _etag(path, content), "size": len(content), "pointerSize": 130}}
    blob = "0" * 40 if _is_large(path) else _etag(path, content)
    return {"rfilename": path, "size": len(content), "blobId": blob} | (large if _is_large(path) else {})


def files_below(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their paths, as a repository has them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@contextmanager
def running() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
