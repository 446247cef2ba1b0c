"""A server that speaks as much of Elasticsearch's API as it takes to fill an index and search it, by exact cosine."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np


class _Handler(BaseHTTPRequestHandler):
    dimensions: dict[str, int]  # by index
    added: dict[str, dict[str, list[float]]]  # by index, then id
    searched: dict[str, dict[str, list[float]]]  # what was added before the last refresh
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        if self.path.rstrip("/") == "/_bulk":
            return self._bulk()
        index = self.path.strip("/")
        field = self._json()["mappings"]["properties"]["vector"]
        assert (field["type"], field["similarity"]) == ("dense_vector", "cosine")
        self.dimensions[index], self.added[index], self.searched[index] = field["dims"], {}, {}
        return self._answer({"acknowledged": True, "shards_acknowledged": True, "index": index})

    def do_POST(self) -> None:
        index, _, action = self.path.strip("/").rpartition("/")
        if action == "_bulk":
            return self._bulk()
        if action == "_refresh":
            self.searched[index] = dict(self.added[index])
            return self._answer({"_shards": {"total": 1, "successful": 1, "failed": 0}})
        assert action == "_search", self.path
        knn = self._json()["knn"]
        assert set(knn) == {"field", "query_vector", "k", "num_candidates"}
        assert (knn["field"], knn["k"] <= knn["num_candidates"] <= 10_000) == ("vector", True)
        query = np.array(knn["query_vector"])
        assert len(query) == self.dimensions[index]
        scores = {
            name: (1 + query @ vector / np.linalg.norm(query) / np.linalg.norm(vector)) / 2
            for name, vector in self.searched[index].items()
        }
        best = sorted(scores, key=lambda name: -scores[name])[: knn["k"]]
        return self._answer({"hits": {"hits": [{"_index": index, "_id": i, "_score": scores[i]} for i in best]}})

    def _bulk(self) -> None:
        lines = [json.loads(line) for line in self._content().splitlines()]
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            (target,) = action.values()
            assert list(action) == ["index"]
            assert list(source) == ["vector"]
            assert len(source["vector"]) == self.dimensions[target["_index"]]
            self.added[target["_index"]][target["_id"]] = source["vector"]
            items.append({"index": {**target, "status": 201, "result": "created"}})
        self._answer({"took": 1, "errors": False, "items": items})

    def _json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._content())
        return content

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _answer(self, reply: dict[str, Any]) -> None:
        content = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=9")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running() -> Iterator[str]:
    """Start a server without indices; give its address."""
    empty: dict[str, Any] = {"dimensions": {}, "added": {}, "searched": {}}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), empty))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
