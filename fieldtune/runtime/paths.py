"""Paths of all files of the pipeline, relative to the repository root (DVC runs each stage there)."""

from pathlib import Path

CONF = Path("conf")
PARAMS = Path("params.yaml")
DATA = Path("data")
CONFIG = DATA / "config"

NONE = DATA / "none.jsonl"  # committed and empty: params.yaml names it if there is no such file
SAMPLE_DOCS = DATA / "sample/docs"
SAMPLE_REAL = DATA / "sample/real.jsonl"
SAMPLE_STYLE = DATA / "sample/style.yaml"
RECORDED = DATA / "sample/recorded.jsonl"
RECORDED_STYLED = DATA / "sample/recorded_styled.jsonl"

PASSAGES = DATA / "passages/passages.jsonl"
PASSAGES_REPORT = DATA / "passages/report.json"

REAL = DATA / "real/queries.jsonl"
REAL_LOG = DATA / "real/log.jsonl"
REAL_REPORT = DATA / "real/report.json"

QUERIES = DATA / "queries/queries.jsonl"
COST = DATA / "queries/cost.json"

VECTORS = DATA / "vectors"
TUNED_VECTORS = DATA / "tuned_vectors"

DATASET = DATA / "dataset"
QRELS = DATASET / "qrels.parquet"
CLUSTERS = DATASET / "clusters.parquet"
TRAIN = DATASET / "train.parquet"
TRAIN_IDS = DATASET / "train_ids.parquet"
DATASET_REPORT = DATASET / "report.json"

BASELINE_METRICS = DATA / "baseline/metrics.json"
BASELINE_RANKINGS = DATA / "baseline/rankings.parquet"

RIVALS_METRICS = DATA / "rivals/metrics.json"
RIVALS_RANKINGS = DATA / "rivals/rankings.parquet"

MODEL = DATA / "model"

CURVE = DATA / "curve"

METRICS = DATA / "evaluation/metrics.json"
SUMMARY = DATA / "evaluation/summary.json"
SYSTEMS_PLOT = DATA / "evaluation/systems.csv"
CURVE_PLOT = DATA / "evaluation/curve.csv"
PER_QUERY = DATA / "evaluation/per_query.parquet"
REPORT = DATA / "evaluation/report.html"
REPORT_MD = DATA / "evaluation/report.md"

EXPORT = DATA / "export"
