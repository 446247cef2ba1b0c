"""Metrics for Prometheus. Several workers each write to files, which any of them sums up.

That needs PROMETHEUS_MULTIPROC_DIR to be set before this is imported.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("fieldtune_requests", "Requests by path and status", ["path", "status"])
REQUEST_SECONDS = Histogram(
    "fieldtune_request_seconds",
    "From the first byte read to the last written",
    ["path"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
IN_FLIGHT = Gauge("fieldtune_requests_in_flight", "Requests not answered yet", multiprocess_mode="livesum")
TEXTS = Counter("fieldtune_texts", "Texts encoded")
TOKENS = Counter("fieldtune_tokens", "Tokens encoded, without padding")
TRUNCATED = Counter("fieldtune_truncated_texts", "Texts cut at the model's length limit")
QUEUE_TOKENS = Gauge(
    "fieldtune_queue_tokens", "Tokens of the requests that wait or are being encoded", multiprocess_mode="livesum"
)
QUEUE_SECONDS = Histogram(
    "fieldtune_queue_seconds",
    "From a text's arrival to the batch it is encoded in",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
BATCH_SECONDS = Histogram(
    "fieldtune_batch_seconds", "One run of the model", buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
)
BATCH_TEXTS = Histogram("fieldtune_batch_texts", "Texts in one run", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256))


def exposition() -> bytes:
    """The metrics of all workers, in Prometheus's text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
