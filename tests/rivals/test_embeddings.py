"""An embeddings API among the rivals: the same numbers as the model's folder, and no vector bought twice."""

import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fieldtune.commands import clean, estimate
from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.rivals.__main__ import work
from stages.rivals.embeddings import shares
from stages.rivals.vectors import BOUGHT, VectorLedger
from tests.rivals.fake_embeddings import Fake, tokens_of
from tests.rivals.workspace import PASSAGES, QUERIES, SECRET, TEXTS, api, block, name_rivals, start

KEY = "the-secret-key"
SETS = ("real", "synthetic")


def test_an_api_scores_as_the_same_model_in_a_folder(folder: Path, server: Fake) -> None:
    name_rivals(folder, last_year={"folder": "last_year"}, bought=api(server.url))
    assert work().startswith("NDCG@10 on 20 real queries: last_year 0.")
    rivals = block(folder)
    assert [rivals["bought"][name] for name in SETS] == [rivals["last_year"][name] for name in SETS]
    table = files.read_table(paths.RIVALS_RANKINGS)
    sections = dict(zip(zip(table["system"], table["query_id"], strict=True), table["sections"], strict=True))
    assert all(sections["bought", query] == sections["last_year", query] for _, query in sections)
    assert len(sections) == 2 * QUERIES
    assert rivals["bought"]["dimension"] == rivals["last_year"]["dimension"] == 32
    assert server.billed.total() == len(server.billed) == TEXTS


def test_a_second_run_buys_nothing_and_writes_the_same_bytes_after_clean_too(folder: Path, server: Fake) -> None:
    name_rivals(folder, bought=api(server.url))
    work()
    before = {path: path.read_bytes() for path in (paths.RIVALS_METRICS, paths.RIVALS_RANKINGS, BOUGHT)}
    clean.clean(dry_run=False)
    requests = server.requests
    work()
    assert server.requests == requests
    assert before == {path: path.read_bytes() for path in before}


def test_what_a_colleague_bought_refills_the_store(folder: Path, server: Fake) -> None:
    name_rivals(folder, bought=api(server.url))
    work()
    (folder / ".fieldtune/bought_vectors.sqlite").unlink()
    requests = server.requests
    work()  # data/rivals/bought.parquet is there, as after `dvc pull`
    assert server.requests == requests


def test_tokens_and_dollars_are_the_servers(folder: Path, server: Fake) -> None:
    name_rivals(folder, bought=api(server.url, price=2.5))
    work()
    queries = [text for text in server.billed if text.startswith("query: ")]
    passages = [text for text in server.billed if not text.startswith("query: ")]
    assert (len(queries), len(passages)) == (QUERIES, PASSAGES)
    facts = block(folder)["bought"]
    assert facts["tokens_per_query"] == pytest.approx(sum(map(tokens_of, queries)) / QUERIES, abs=1e-3)
    assert facts["tokens_per_passage"] == pytest.approx(sum(map(tokens_of, passages)) / PASSAGES, abs=1e-3)
    assert (facts["dollars_per_million_tokens"], facts["prices_date"]) == (2.5, "2026-11-24")
    costs = files.read_table(BOUGHT)["cost"]
    assert sum(costs) == 2500 * sum(map(tokens_of, server.billed))  # nanodollars


def test_a_change_of_what_is_asked_buys_anew_and_going_back_is_free(folder: Path, server: Fake) -> None:
    name_rivals(folder, bought=api(server.url))
    work()
    assert "dimensions" not in server.bodies[0]
    changed = api(server.url, passage_prefix="passage: ", query_extra={"input_type": "query"}, extra={"truncate": True})
    name_rivals(folder, bought={**changed, "dimensions": 32})
    work()
    assert server.billed.total() == 2 * TEXTS
    kinds = {body["input"][0].split()[0]: body for body in server.bodies[-TEXTS // 8 :]}
    assert kinds["query:"]["input_type"] == "query"
    assert "input_type" not in kinds["passage:"]
    assert kinds["passage:"]["dimensions"] == 32
    assert kinds["passage:"]["truncate"] is True
    name_rivals(folder, other_name=api(server.url))
    work()
    assert server.billed.total() == 2 * TEXTS


@pytest.mark.parametrize("fault", [{"refuse": 4}, {"refuse_each": True}])
def test_a_server_that_refuses_for_a_while_bills_each_text_once(
    folder: Path, server: Fake, fault: dict[str, Any]
) -> None:
    name_rivals(folder, bought=api(server.url))
    for name, value in fault.items():
        setattr(server, name, value)
    work()
    assert server.requests > TEXTS // 8 + 1
    assert server.billed.total() == TEXTS


def test_a_server_that_breaks_keeps_what_was_bought_and_the_next_run_goes_on(folder: Path, server: Fake) -> None:
    name_rivals(folder, bought=api(server.url, max_concurrency=1))
    server.after = 2
    message = r"rival bought: no vectors from http://127.* in 5 attempts \(the last: 500 .*16 of 54 vectors were bought"
    with pytest.raises(UserError, match=message):
        work()
    server.after = None
    work()
    assert server.billed.total() == TEXTS


def test_the_budget_is_never_passed_and_says_how_to_go_on(folder: Path, server: Fake) -> None:
    name_rivals(folder, bought=api(server.url, budget_usd=0.0009))
    with pytest.raises(UserError, match=r"the budget is reached: \$0\.00.* of budget_usd 0\.0009 in rivals"):
        work()
    billed = server.billed.total()
    assert 0 < billed < TEXTS
    assert sum(tokens_of(text) for text in server.billed) <= 900  # a dollar for a million
    name_rivals(folder, bought=api(server.url))
    work()
    assert server.billed.total() == TEXTS


def test_a_killed_run_loses_at_most_what_was_in_flight(folder: Path, server: Fake) -> None:
    name_rivals(folder, bought=api(server.url, texts=2, max_concurrency=2))
    server.latency = 0.1
    process = start(folder)
    while server.served < 8:
        time.sleep(0.02)
        assert process.poll() is None, process.stdout and process.stdout.read()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    server.latency = 0.0
    work()
    twice = [text for text, count in server.billed.items() if count > 1]
    assert len(server.billed) == TEXTS
    assert len(twice) <= 4
    with closing(VectorLedger()) as ledger:
        lost, _ = ledger.lost_requests(files.read_table(BOUGHT)["scope"][0])
    assert lost <= 4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"data": []}, "a reply that is not embeddings"),
        ([1, 2], "a reply that is not embeddings"),
        ({"data": [{"index": 0, "embedding": [1.0, "x"]}]}, "a reply that is not embeddings"),
    ],
)
def test_a_reply_that_is_something_else_is_said(folder: Path, server: Fake, body: Any, message: str) -> None:
    name_rivals(folder, bought=api(server.url, attempts=2))
    server.body = body
    with pytest.raises(UserError, match=message):
        work()


def test_a_key_comes_from_the_environment_and_is_in_no_output(
    folder: Path, server: Fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.key = KEY
    name_rivals(folder, bought=api(server.url, key_env="MY_KEY"))
    with pytest.raises(UserError, match=r"MY_KEY, which rivals/rivals\.yaml names for bought, is not set: export it"):
        work()
    assert server.requests == 0
    monkeypatch.setenv("MY_KEY", "wrong")
    with pytest.raises(UserError, match="does not accept the API key") as raised:
        work()
    assert SECRET not in str(raised.value)
    monkeypatch.setenv("MY_KEY", KEY)
    work()
    assert server.billed.total() == TEXTS
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert KEY.encode() not in written
    printed = capsys.readouterr().out
    assert "rival bought: 54 texts: 0 in the store, 54 to embed; about" in printed
    assert KEY not in printed
    assert SECRET not in printed


def test_the_estimate_counts_the_vectors(folder: Path, server: Fake) -> None:
    name_rivals(folder, bought=api(server.url, price=1000.0, budget_usd=0.01))
    passages = list(files.read_jsonl(paths.PASSAGES))
    lines = estimate._rivals(passages)
    queries = [row["query"] for row in (*files.read_jsonl(paths.QUERIES), *files.read_jsonl(paths.REAL))]
    texts = [*map(passage_text, passages), *(f"query: {query}" for query in queries)]
    tokens = sum(len(text) // 4 + 2 for text in texts)
    assert lines[0] == (
        f"rival bought: 54 texts: 0 in the store, 54 to embed; about {tokens} tokens: ${tokens / 1000:.4f} "
        "(tiny-embed, price of 2026-11-24)"
    )
    assert "more than its budget of $0.0100" in lines[1]
    assert server.requests == 0
    name_rivals(folder, bought=api(server.url))
    work()
    assert estimate._rivals(list(files.read_jsonl(paths.PASSAGES))) == [
        "rival bought: 54 texts: 54 in the store, nothing to buy"
    ]


@pytest.mark.parametrize("end", ["", "/"])
def test_the_url_is_a_base_url_as_the_official_client_takes_it(folder: Path, server: Fake, end: str) -> None:
    plain = server.url.removesuffix("/v1")
    name_rivals(folder, bought=api(plain))
    message = r"check `model` and `url` in rivals/rivals\.yaml: bought; `url` is what OpenAI's client takes as base_url"
    with pytest.raises(UserError, match=message):
        work()
    server.url = f"{plain}/v1beta/openai"  # Gemini's
    name_rivals(folder, bought=api(server.url + end))
    work()
    assert server.billed.total() == TEXTS


def test_shares_add_up() -> None:
    assert shares(10, [1, 1, 1]) == [3, 3, 4]
    assert shares(0, [5, 7]) == [0, 0]
    assert sum(shares(1_234_567, [3, 1, 4, 1, 5, 9])) == 1_234_567
