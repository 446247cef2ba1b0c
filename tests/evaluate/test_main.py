"""From passages to verdict with real, tiny models: dataset, baseline and evaluate as they run, against trec_eval."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import pytrec_eval
import torch
import yaml
from sentence_transformers import SentenceTransformer

import stages.baseline.__main__ as baseline
import stages.dataset.__main__ as dataset
import stages.evaluate.__main__ as evaluate
import stages.rivals.__main__ as rivals
from fieldtune.commands import compare
from fieldtune.corpus import files, real_queries
from fieldtune.corpus.passages import passage_text
from fieldtune.models import base_models, encoder, tuned_model
from fieldtune.retrieval import curve_points
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.evaluate.measure import SETTINGS
from tests.dataset.workspace import Workspace
from tests.evaluate.test_reranker import cross_encoder
from tests.tiny_model import WORDS, tiny_model
from tests.vectors import write_encoded

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).parents[2]
SYSTEMS = ("base", "bm25", "bm25_fields", "hybrid", "tuned", "tuned_hybrid")
METRICS = {
    "ndcg_cut_10": "ndcg@10",
    **{f"recall_{depth}": f"recall@{depth}" for depth in (1, 5, 10, 100)},
    "success_1": "success@1",
}
EVALUATE = """\
model:
  {name: a/base, package: null, path: base_model, query_prompt: '', passage_prompt: '', max_tokens: 64, dimension: 32,
    license: mit, language: en}
launcher: null
precision: fp32
batch_size: 16
draws: 500
confidence: 0.95
meaningful: 0.05
negligible: 0.02
good_enough: 0.85
worth_it: 0.7
real_evidence: 400
forgetting: 0.05
data_curve: false
reranker: null
reranker_queries: 20
seed: 0
"""
Numbers = dict[str, Any]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SentenceTransformer]:
    folder = tmp_path_factory.mktemp("models")
    return {name: tiny_model(folder / name, architecture=name) for name in ("bert", "xlmr")}


def evaluated(
    folder: Path,
    base: SentenceTransformer,
    tuned: SentenceTransformer,
    real: bool = True,
    text: str = EVALUATE,
    rivals_folder: str = "data/none.jsonl",
    partly: bool = False,
) -> Numbers:
    """Run the four stages in `folder`, the working directory; returns metrics.json."""
    made = Workspace()
    for number in range(60):
        words = [WORDS[(7 * number + 11 * place) % 60] for place in range(number % 9 + 8)]
        passage = made.passage(f"doc{number // 6}.md", f"Part {number}", " ".join(words))
        for kind in ("keyword", "question"):
            made.query(passage, f"{words[1]} {kind} {words[4]} {words[6]} {number}", kind)
        if real and number % 2:
            query, document = f"{words[2]} {words[5]} real {number}", f"doc{number // 6}.md"
            made.ask(query, document, f"Part {number}", overlap=number % 3 / 2)
            if partly and number % 3:
                made.ask(query, document, f"Part {number - 1}", relevance=1)
    made.write(folder)
    write_encoded(
        base,
        paths.VECTORS,
        [passage_text(row) for row in made.passages],
        [row["query"] for row in (*made.queries, *made.real)],
    )
    encoder.save(tuned, paths.MODEL)
    encoder.save(base, Path("base_model"))
    files.write_text(paths.VECTORS / base_models.WEIGHTS, files.digest(Path("base_model/model.safetensors")))
    files.write_text(paths.CONFIG / "baseline.yaml", "good_enough: 0.85\nworth_it: 0.7\nreal_evidence: 400\n")
    files.write_text(paths.CONFIG / "evaluate.yaml", text)
    for stage in ("embed", "train"):
        files.write_text(paths.CONFIG / f"{stage}.yaml", "")
    files.write_json(paths.MODEL / tuned_model.HISTORY, {})
    files.write_json(paths.COST, {})
    files.write_json(paths.PASSAGES_REPORT, {})
    files.write_json(paths.REAL_REPORT, {})
    files.write_text(Path("data/none.jsonl"), "")
    settings = f"rivals: {rivals_folder}\nbases: {{}}\nprecision: fp32\nbatch_size: 16\n"
    files.write_text(paths.CONFIG / "rivals.yaml", settings)
    for module in (dataset, baseline, rivals, evaluate):
        module.work()
    metrics: Numbers = json.loads(paths.METRICS.read_text(encoding="utf-8"))
    return metrics


def trec_eval(rankings: list[Numbers], of_set: str) -> dict[str, dict[str, float]]:
    """system → metric, means over the queries of a set, from the files alone."""
    qrels: dict[str, dict[str, int]] = {}
    for row in pq.read_table(paths.QRELS).to_pylist():
        if row["set"] == of_set:
            qrels.setdefault(row["query_id"], {})[row["section"]] = int(2 * row["relevance"])  # from 2 on it answers
    names = {"ndcg_cut.10", "recall.1,5,10,100", "success.1", "recip_rank"}
    measures = pytrec_eval.RelevanceEvaluator(qrels, names, relevance_level=2)
    scores: dict[str, dict[str, float]] = {}
    for system in {row["system"] for row in rankings}:
        run = {
            row["query_id"]: dict(zip(row["sections"], row["scores"], strict=True))
            for row in rankings
            if row["system"] == system and row["query_id"] in qrels
        }
        values = list(measures.evaluate(run).values())
        scores[system] = {
            ours: sum(numbers[theirs] for numbers in values) / len(qrels) for theirs, ours in METRICS.items()
        }
        first = [numbers["recip_rank"] if numbers["recip_rank"] >= 0.1 else 0.0 for numbers in values]
        scores[system]["mrr@10"] = sum(first) / len(qrels)
        ranks = [1 / numbers["recip_rank"] if numbers["recip_rank"] else 101 for numbers in values]
        scores[system]["first_rank"] = sum(ranks) / len(qrels)
    return scores


def hash_of(rows: list[Numbers], name: str) -> str:
    """The hash of a query set's queries, all in lower case, and answers, from per_query.parquet."""
    keys = sorted([row["query"], sorted(row["answers"])] for row in rows if name in row["sets"])
    return hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:16]


def test_every_number_is_trec_evals(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metrics = evaluated(tmp_path, models["bert"], models["xlmr"])
    assert list(metrics) == [
        "real", "real_hard", "synthetic", "real_seen", "real_unseen", "forgetting", "hybrid_weight", "heading_share",
        "crossfitted_shares", "deployments", "vectors",
        "similarity_to_base", "test_set", "verdict", "recommend", "chosen_by", "reasons",
    ]  # fmt: skip
    assert (metrics["real"]["n"], metrics["real_hard"]["n"]) == (30, 20)
    assert metrics["verdict"] in ("ship", "marginal", "keep_base")
    assert metrics["recommend"] in SYSTEMS
    assert list(metrics["synthetic"]["kinds"]) == ["keyword", "question"]

    stored = pq.read_table(paths.BASELINE_RANKINGS).to_pylist()
    said_before = json.loads(paths.BASELINE_METRICS.read_text(encoding="utf-8"))
    for name in ("real", "real_hard", "synthetic"):
        block = metrics[name]
        expected = trec_eval(stored, name)
        assert set(expected) == {"base", "bm25", "bm25_fields", "hybrid"}
        for system, values in expected.items():
            assert block[system] == pytest.approx(values, abs=1e-6)
            assert said_before[name][system] == block[system]
        for system in SYSTEMS:
            assert {"ndcg@10", "mrr@10", "recall@100"} <= set(block[system])
        for other in ("base", "bm25", "bm25_fields", "hybrid"):
            gain = block["gain"][f"vs_{other}"]["ndcg@10"]
            assert gain["mean"] == pytest.approx(block["tuned"]["ndcg@10"] - block[other]["ndcg@10"], abs=2e-6)
            assert gain["low"] <= gain["mean"] <= gain["high"]

    rows = pq.read_table(paths.PER_QUERY).to_pylist()
    assert metrics["test_set"] == hash_of(rows, "real")
    table = files.read_table(paths.PER_QUERY)
    assert compare.describe_test_sets(table, table, table, ("a", "b")) == [
        f"real queries: the same test set, 30 queries ({metrics['test_set']})",
        f"generated queries, held out: the same test set, {metrics['synthetic']['n']} queries "
        f"({hash_of(rows, 'synthetic')})",
    ]
    for name in ("real", "real_hard", "synthetic"):
        for system in SYSTEMS:
            for metric in ("ndcg@10", "recall@100"):
                column = [row[f"{system}_{metric}"] for row in rows if name in row["sets"]]
                assert sum(column) / len(column) == pytest.approx(metrics[name][system][metric], abs=1e-6)

    trained = set(pq.read_table(paths.TRAIN_IDS).column("positive_id").to_pylist())
    passages = {f"{row['source']}#{row['section']}": row["id"] for row in files.read_jsonl(paths.PASSAGES)}
    for row in rows:  # every section is one passage
        assert row["seen"] == any(passages[section] in trained for section in row["answers"])
        assert ("real_seen" in row["sets"], "real_unseen" in row["sets"]) == (
            row["seen"] and row["kind"] == "real",
            not row["seen"] and row["kind"] == "real",
        )
    assert metrics["real_seen"]["n"] + metrics["real_unseen"]["n"] == 30
    assert {row["kind"] for row in rows} == {"real", "keyword", "question"}
    assert metrics["hybrid_weight"]["hybrid"] == said_before["hybrid_weight"]

    summary = json.loads(paths.SUMMARY.read_text(encoding="utf-8"))
    assert len(summary) == 12
    assert summary["base_mrr"] == round(metrics["real"]["base"]["mrr@10"], 4)
    assert summary["tuned"] == round(metrics["real"]["tuned"]["ndcg@10"], 4)
    with paths.SYSTEMS_PLOT.open(encoding="utf-8", newline="") as file:
        bars = {row["system"]: float(row["ndcg@10"]) for row in csv.DictReader(file)}
    assert bars["real_hard: bm25"] == round(metrics["real_hard"]["bm25"]["ndcg@10"], 4)
    assert paths.CURVE_PLOT.read_text(encoding="utf-8") == "passages,ndcg@10\n"  # not asked for
    assert metrics["verdict"] in paths.REPORT.read_text(encoding="utf-8")
    for reason in metrics["reasons"]:
        assert f"- {reason}\n" in paths.REPORT_MD.read_text(encoding="utf-8")

    whole, *rest = metrics["vectors"]
    assert whole == {
        "dimension": 32, "precision": "float32", "ndcg": metrics["real"]["tuned"]["ndcg@10"],
        "bytes_per_million": 128_000_000,
    }  # fmt: skip
    assert [(row["dimension"], row["precision"]) for row in rest] == [(32, "int8"), (32, "binary")]
    assert metrics["forgetting"]["n"] == 60


def test_graded_numbers_are_trec_evals(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metrics = evaluated(tmp_path, models["bert"], models["xlmr"], partly=True)
    assert set(files.read_table(paths.QRELS)["relevance"]) == {1, 0.5}
    for name in ("real", "real_hard"):
        for system, values in trec_eval(pq.read_table(paths.BASELINE_RANKINGS).to_pylist(), name).items():
            assert metrics[name][system] == pytest.approx(values, abs=1e-6)
    rows = pq.read_table(paths.PER_QUERY).to_pylist()
    real = [row for row in rows if "real" in row["sets"]]
    assert sum(bool(row["graded"]) for row in real) == 20
    assert all(len(row["answers"]) == 1 for row in real)
    assert metrics["test_set"] != hash_of(rows, "real")  # with binary relevance it is another test
    table = files.read_table(paths.PER_QUERY)
    assert compare.describe_test_sets(table, table, table, ("a", "b"))[0].endswith(f"({metrics['test_set']})")


def test_evaluate_depends_on_the_settings_whose_hash_it_tells_and_on_no_others() -> None:
    """Otherwise the number of requests that are sent at once would encode the corpus again."""
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["evaluate"]["deps"]
    configs = {f"data/config/{stage}.yaml" for stage in SETTINGS}
    assert {dep for dep in deps if dep.startswith("data/config/")} == configs
    assert not {Path(name).stem for name in configs} & {"ingest", "real", "generate"}


def test_a_copy_of_the_base_is_not_to_be_shipped(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metrics = evaluated(tmp_path, models["bert"], models["bert"])
    assert metrics["verdict"] == "keep_base"
    assert "unchanged" in metrics["reasons"][1]
    assert metrics["similarity_to_base"] == pytest.approx(1, abs=1e-5)
    assert metrics["real"]["gain"]["vs_base"]["ndcg@10"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_a_choice_by_real_queries_is_told_with_the_cross_fitted_gain(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = evaluated(tmp_path, models["bert"], models["xlmr"])
    assert before["chosen_by"] is None  # a history without a choice, as of a pinned model
    rows = sorted({query for query in files.read_table(paths.QRELS)["query_id"] if query[0] == "r"})[:20]
    evidence = {"query_id": rows, "half": [1] * 10 + [2] * 10, "gain": [0.1] * 10 + [-0.1] * 10}
    files.write_table(paths.MODEL / tuned_model.REAL_EVIDENCE, evidence)
    for share in (1.0, 0.0):
        chosen = {"step": 1, "share": share, "by": "real", "doubt": None}
        files.write_json(paths.MODEL / tuned_model.HISTORY, {"chosen": chosen})
        evaluate.work()
        metrics = json.loads(paths.METRICS.read_text(encoding="utf-8"))
        assert metrics["chosen_by"] == "real"
        if not share:  # the base has no gain to tell
            assert "crossfitted" not in metrics
            continue
        # The second half chose the base, under which those of the first gain nothing.
        per_query = [row for row in pq.read_table(paths.PER_QUERY).to_pylist() if "real" in row["sets"]]
        gains = [
            0.0 if row["query_id"] in rows[:10] else row["tuned_ndcg@10"] - row["base_ndcg@10"] for row in per_query
        ]
        assert metrics["crossfitted"]["mean"] == pytest.approx(sum(gains) / 30, abs=1e-6)
        assert metrics["crossfitted"]["low"] < metrics["crossfitted"]["mean"] < metrics["crossfitted"]["high"]
        assert metrics["crossfitted"]["mean"] != metrics["real"]["gain"]["vs_base"]["ndcg@10"]["mean"]
        sentence = "Real queries chose the tuned model: both halves of 20 of them gain"
        assert sentence in paths.REPORT_MD.read_text(encoding="utf-8")
        assert sentence in paths.REPORT.read_text(encoding="utf-8")


def test_what_the_base_model_encoded_is_not_encoded_again(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    encoded: list[tuple[int, list[str]]] = []
    encode_rows = encoder.encode_rows

    def watched(
        model: SentenceTransformer, texts: Sequence[str], rows: Sequence[int], *rest: Any, **options: Any
    ) -> None:
        weights = next(iter(model.parameters()))
        encoded.append((hash(weights.detach().numpy().tobytes()), [texts[row] for row in rows]))
        encode_rows(model, texts, rows, *rest, **options)

    monkeypatch.setattr(encoder, "encode_rows", watched)
    for tuned, times in (("bert", 1), ("xlmr", 2)):
        encoded.clear()
        evaluated(tmp_path, models["bert"], models[tuned])
        corpora = [weights for weights, texts in encoded if len(texts) >= 60 and "doc0.md" in texts[0]]
        assert len(corpora) == len(set(corpora)) == times
    encoded.clear()
    evaluate.work()  # from the store
    assert not [texts for _, texts in encoded if texts and "doc0.md" in texts[0]]


def learnt(model: SentenceTransformer, pairs: list[tuple[str, str]], folder: Path) -> SentenceTransformer:
    """A copy of the model that knows these queries and their passages by heart, or whatever stands beside them."""
    model.save(str(folder), create_model_card=False)
    copy = encoder.load_folder(folder)
    queries, passages = zip(*pairs, strict=True)
    features = [copy.preprocess(list(texts), prompt=None) for texts in (queries, passages)]
    optimizer = torch.optim.Adam(copy.parameters(), lr=3e-3)
    copy.eval()  # dropout would need more steps
    for _ in range(40):
        left, right = (copy({**one})["sentence_embedding"] for one in features)
        loss = torch.nn.functional.cross_entropy(20 * left @ right.T, torch.arange(len(pairs)))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return copy


def test_a_model_trained_on_the_test_is_shipped_and_one_on_shuffled_labels_is_not(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluated(tmp_path, models["bert"], models["bert"])
    texts = {f"{row['source']}#{row['section']}": passage_text(row) for row in files.read_jsonl(paths.PASSAGES)}
    pairs = [(query.query, texts[query.sections[0]]) for query in real_queries.read()]
    trained = evaluated(tmp_path, models["bert"], learnt(models["bert"], pairs, tmp_path / "right"))
    assert trained["verdict"] == "ship"
    assert trained["real"]["gain"]["vs_base"]["ndcg@10"]["p"] < 0.01
    shuffled = [(query, pairs[(7 * row + 3) % len(pairs)][1]) for row, (query, _) in enumerate(pairs)]
    assert all(right != wrong for right, wrong in zip(pairs, shuffled, strict=True))
    metrics = evaluated(tmp_path, models["bert"], learnt(models["bert"], shuffled, tmp_path / "wrong"))
    assert metrics["verdict"] == "keep_base"
    assert metrics["recommend"] in ("base", "bm25", "bm25_fields", "hybrid")


def test_without_real_queries_generated_ones_decide(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metrics = evaluated(tmp_path, models["bert"], models["xlmr"], real=False)
    assert next(iter(metrics)) == "synthetic"
    assert metrics["test_set"] == hash_of(pq.read_table(paths.PER_QUERY).to_pylist(), "synthetic")
    assert "real" not in metrics
    assert "There are no real queries" in metrics["reasons"][-1]


def test_the_data_curve_is_told_with_the_tuned_model_as_its_end(
    models: dict[str, SentenceTransformer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ids = [f"r{row:06d}" for row in range(30)]
    values = {"0.25": [row / 100 for row in range(30)], "0.5": [row / 50 for row in range(30)]}
    # By id, whatever the order.
    columns: dict[str, list[Any]] = {"query_id": ids[::-1], **{name: numbers[::-1] for name, numbers in values.items()}}
    files.write_table(paths.CURVE / curve_points.PER_QUERY, columns)
    measured = [
        {"share": 0.25, "passages": 13, "pairs": 26, "base_kept": True},
        {"share": 0.5, "passages": 26, "pairs": 52, "base_kept": False},
    ]
    files.write_json(paths.CURVE / curve_points.POINTS, measured)
    text = EVALUATE.replace("data_curve: false", "data_curve: true")
    metrics = evaluated(tmp_path, models["bert"], models["xlmr"], text=text)
    curve, real = metrics["data_curve"], metrics["real"]
    assert (curve["n"], curve["base"]) == (30, real["base"]["ndcg@10"])
    of_train = files.read_table(paths.TRAIN_IDS)["positive_id"]
    assert [(row["share"], row["passages"], row["pairs"], row["base_kept"]) for row in curve["points"]] == [
        (0.25, 13, 26, True),
        (0.5, 26, 52, False),
        (1.0, len(set(of_train)), len(of_train), False),
    ]
    assert [row["ndcg@10"] for row in curve["points"]] == [0.145, 0.29, real["tuned"]["ndcg@10"]]
    gain = real["gain"]["vs_base"]["ndcg@10"]
    assert curve["points"][2]["gain"] == {name: gain[name] for name in ("mean", "low", "high")}
    assert curve["points"][1]["gain"]["mean"] == pytest.approx(0.29 - real["base"]["ndcg@10"], abs=2e-6)
    # Paired: the interval is of differences query by query.
    rows = [row for row in pq.read_table(paths.PER_QUERY).to_pylist() if "real" in row["sets"]]
    last = [row["tuned_ndcg@10"] - values["0.5"][ids.index(row["query_id"])] for row in rows]
    assert curve["last_doubling"]["mean"] == pytest.approx(sum(last) / 30, abs=2e-6)
    error = np.std(last, ddof=1) / 30**0.5  # every query is a group
    half = (curve["last_doubling"]["high"] - curve["last_doubling"]["low"]) / 2
    assert half == pytest.approx(2.05 * error, rel=0.15)
    assert curve["said"] in capsys.readouterr().out
    assert curve["said"] in paths.REPORT_MD.read_text(encoding="utf-8")
    assert "Would more queries help?" in paths.REPORT.read_text(encoding="utf-8")
    with paths.CURVE_PLOT.open(encoding="utf-8", newline="") as file:
        plotted = [(int(row["passages"]), float(row["ndcg@10"])) for row in csv.DictReader(file)]
    assert plotted[:3] == [(0, round(curve["base"], 4)), (13, 0.145), (26, 0.29)]
    assert plotted[3] == (len(set(of_train)), round(real["tuned"]["ndcg@10"], 4))


def test_a_reranker_and_rivals_are_scored_beside(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    encoder.save(models["bert"], Path("rivals/same"))
    tiny_model(tmp_path / "made", pooling="cls").save("rivals/other", create_model_card=False)
    files.write_text(Path("rivals/rivals.yaml"), "same: {folder: same}\nother: {folder: other}\n")
    assert "reranker: null" in EVALUATE
    text = EVALUATE.replace("reranker: null", f"reranker: {cross_encoder(tmp_path / 'reranker')}")
    metrics = evaluated(tmp_path, models["bert"], models["xlmr"], text=text, rivals_folder="rivals")
    assert metrics["real"]["rival:same"] == metrics["real"]["base"]
    other = metrics["real"]["rival:other"]["ndcg@10"]
    assert other not in (metrics["real"]["base"]["ndcg@10"], metrics["real"]["tuned"]["ndcg@10"])
    rows = pq.read_table(paths.PER_QUERY).to_pylist()
    column = [row["rival:other_ndcg@10"] for row in rows if "real" in row["sets"]]
    assert sum(column) / len(column) == pytest.approx(other, abs=1e-6)
    gain = metrics["real"]["gain"]["vs_rival:other"]["ndcg@10"]
    assert gain["mean"] == pytest.approx(metrics["real"]["tuned"]["ndcg@10"] - other, abs=2e-6)
    base_p = metrics["real"]["gain"]["vs_base"]["ndcg@10"]["p"]
    assert metrics["real"]["gain"]["vs_rival:same"]["ndcg@10"]["p"] >= base_p  # corrected for two
    assert metrics["reranked"]["n"] == 20
    assert set(metrics["reranked"]) >= {*SYSTEMS, "rival:other", "gain"}
    page = paths.REPORT.read_text(encoding="utf-8")
    assert "Does the gain survive a reranker?" in page
    assert ">other</th>" in page or ">other<" in page
    assert "Against what you run today" in page
    # Whatever finds all sixty sections is the same behind the reranker.
    assert metrics["reranked"]["base"] == metrics["reranked"]["tuned"] == metrics["reranked"]["rival:same"]
    same, _, tuned = metrics["rivals"]
    assert [row["system"] for row in metrics["rivals"]] == ["rival:same", "rival:other", "tuned"]
    assert same["judged"] is None
    # The same architecture, so the same memory and time.
    assert same["cost"]["bytes_per_million_passages"] == pytest.approx(128_000_000, rel=0.01)
    assert tuned["cost"]["seconds_per_1000_queries"] == pytest.approx(same["cost"]["seconds_per_1000_queries"], abs=0.1)


def test_the_share_that_was_judged_is_of_the_first_ten(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six of the base model's first ten were judged, and of the rival's what both have, and the answers."""
    monkeypatch.chdir(tmp_path)
    tiny_model(tmp_path / "made", pooling="cls").save("rivals/other", create_model_card=False)
    files.write_text(Path("rivals/rivals.yaml"), "other: {folder: other}\n")
    evaluated(tmp_path, models["bert"], models["xlmr"], rivals_folder="rivals")
    base = {row["query_id"]: row["sections"][:10] for row in _rankings(paths.BASELINE_RANKINGS, "base")}
    other = {row["query_id"]: row["sections"][:10] for row in _rankings(paths.RIVALS_RANKINGS, "other")}
    real = real_queries.read()
    pools = {f"r{number:06d}": base[f"r{number:06d}"][:6] for number in range(0, len(real), 2)}  # half were judged
    rows = [
        {**query.row(), **({"judged": pools[f"r{number:06d}"]} if f"r{number:06d}" in pools else {})}
        for number, query in enumerate(real)
    ]
    files.write_jsonl(paths.REAL, rows)
    evaluate.work()
    metrics = json.loads(paths.METRICS.read_text(encoding="utf-8"))

    def share(ranked: dict[str, list[str]]) -> float:
        known = {name: {*pool, *real[int(name[1:])].sections} for name, pool in pools.items()}
        return sum(section in known[name] for name in pools for section in ranked[name]) / 10 / len(pools)

    assert metrics["rivals"][0]["judged"] == pytest.approx(share(other), abs=1e-6)
    assert metrics["rivals"][0]["unfair"] == (share(other) < share(base) - 0.1)
    assert ("clearly fewer results were judged" in paths.REPORT.read_text(encoding="utf-8")) == (
        metrics["rivals"][0]["unfair"]
    )


def _rankings(path: Path, system: str) -> list[Numbers]:
    return [row for row in pq.read_table(path).to_pylist() if row["system"] == system]


def test_a_base_model_with_other_weights_than_embed_had_is_not_measured(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluated(tmp_path, models["bert"], models["bert"])
    encoder.save(models["xlmr"], Path("base_model"))  # as a download of a new revision
    with pytest.raises(UserError, match="the weights of the base model, a/base, have changed since it encoded"):
        evaluate.work()


def test_a_model_that_is_not_there_is_said_before_any_work(
    models: dict[str, SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "reranker: null" in EVALUATE
    with pytest.raises(UserError, match="nowhere"):
        evaluated(
            tmp_path, models["bert"], models["xlmr"], text=EVALUATE.replace("reranker: null", "reranker: nowhere")
        )
    assert not paths.TUNED_VECTORS.exists()
