"""The search page and what it asks for, over HTTP."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.serve import page, routes
from tests.serve.running import Running, running

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
QUERY = "word1 word5"
SECTIONS = ["doc.md#Part 3", "doc.md#Part 7"]


@pytest.fixture(scope="module")
def repository(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export beside the real queries, as in its repository."""
    folder = tmp_path_factory.mktemp("repository") / "data"
    shutil.copytree(export, folder / "export")
    real = RealQuery("Word1  WORD5", "test", SECTIONS[:1], [], 0.0, grades={SECTIONS[1]: 0.5})
    files.write_jsonl(folder / "real/queries.jsonl", [real.row()])
    return folder


@pytest.fixture(scope="module")
def judged(repository: Path) -> Iterator[Running]:
    with running(repository / "export", "--model", "fp32", "--prefix", "/find", key="a-key") as started:
        started.client.headers["authorization"] = "Bearer a-key"
        yield started


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain, */*;q=0.1", ""])
def test_who_asks_for_no_page_gets_json_as_before(service: Running, accept: str) -> None:
    reply = service.client.get("/", headers={"accept": accept})
    assert reply.json() == {"service": "fieldtune", "paths": list(routes.ALL)}
    assert reply.headers["content-type"] == "application/json"


def test_a_browser_gets_the_page_under_a_strict_policy(service: Running) -> None:
    reply = service.client.get("/", headers={"accept": CHROME})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["vary"] == "Accept"
    policy = reply.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"} <= set(policy)
    assert not any("unsafe" in rule or "http" in rule or "*" in rule for rule in policy)
    assert "<script>" not in reply.text
    assert " style=" not in reply.text
    assert " on" not in reply.text.split("<body>")[1].replace(" on ", "")
    assert (
        service.client.request("HEAD", "/", headers={"accept": CHROME}).headers["content-type"].startswith("text/html")
    )


def test_its_files_are_there_and_nothing_else(service: Running) -> None:
    html = service.client.get("/", headers={"accept": CHROME}).text
    for name in page.NAMES[1:]:
        assert f'"page/{name}"' in html
        reply = service.get(f"/page/{name}")
        assert (reply.status_code, reply.headers["x-content-type-options"]) == (200, "nosniff")
    assert service.get("/page/search.js").headers["content-type"].startswith("text/javascript")
    for name in ("__init__.py", "..%2fapp.py", "nothing"):
        assert service.get(f"/page/{name}").status_code == 404


def test_behind_a_prefix_its_links_are_right(judged: Running) -> None:
    reply = judged.client.get("/find", headers={"accept": CHROME})
    assert '<base href="/find/">' in reply.text
    assert judged.get("/find/page/search.css").status_code == 200


def test_the_page_is_for_everybody_and_the_results_for_those_with_the_key(judged: Running) -> None:
    for path in ("/", "/page/search.js"):
        assert judged.client.get(path, headers={"accept": CHROME, "authorization": ""}).status_code == 200
    assert judged.client.get("/v1/compare", headers={"authorization": ""}).status_code == 401
    assert judged.client.post("/v1/compare", json={"query": "a"}, headers={"authorization": ""}).status_code == 401


def test_systems_side_by_side_are_those_of_search(service: Running, export: Path) -> None:
    about = service.get("/v1/compare").json()
    settings = json.loads((export / "search/search.json").read_text())
    assert [each["system"] for each in about["systems"]] == list(settings["systems"])  # the recommended one is first
    assert [each["recommended"] for each in about["systems"]] == [True, False, False, False]
    assert about["systems"][0]["label"] == "tuned"
    assert not about["texts"]
    assert about["examples"][0].startswith("zyxreal ")  # it lies in its repository
    reply = service.post("/v1/compare", {"query": QUERY, "top_k": 3}).json()
    assert (reply["judged"], reply["answers"], reply["truncated"]) == (False, [], False)
    for system in reply["systems"]:
        found = service.post("/v1/search", {"query": QUERY, "top_k": 3, "system": system["system"]}).json()
        assert [{**hit, "language": None} for hit in found["data"]] == system["data"]
        assert system["answer_rank"] is None
    assert reply["usage"]["prompt_tokens"] > 0
    for wrong in ({"query": ""}, {"query": "a", "top_k": 0}, {"query": "a", "system": "bm25"}, {}):
        assert service.post("/v1/compare", wrong).status_code == 400


def test_answers_of_a_judged_query_are_named(judged: Running) -> None:
    assert judged.get("/v1/compare").json()["examples"] == ["Word1  WORD5"]
    reply = judged.post("/v1/compare", {"query": QUERY, "top_k": 5}).json()
    assert reply["judged"]
    assert reply["answers"] == [{"section": SECTIONS[0], "grade": 1}, {"section": SECTIONS[1], "grade": 0.5}]
    for system in reply["systems"]:
        assert len(system["data"]) == 5
        every = judged.post("/v1/search", {"query": QUERY, "top_k": 100, "system": system["system"]}).json()["data"]
        places = [hit["section"] for hit in every]
        assert system["answer_rank"] == (places.index(SECTIONS[0]) + 1 if SECTIONS[0] in places else None)
    assert not judged.post("/v1/compare", {"query": "word1"}).json()["judged"]
    assert QUERY not in json.dumps(judged.log())


def test_without_a_search_folder_there_are_no_systems(export: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(export, tmp_path / "export", ignore=shutil.ignore_patterns("search", "*.safetensors"))
    with running(bare) as service:
        assert service.get("/v1/compare").json() == {"systems": [], "texts": False, "examples": []}
        assert service.post("/v1/compare", {"query": "a"}).status_code == 404
