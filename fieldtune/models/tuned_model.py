"""Names of the files that `train` writes beside a tuned model's own."""

HISTORY = "history.json"  # loss and dev scores by step, and what was chosen
PASSAGES = "known_passages.txt"  # hashes of the passages that it was tuned on
REAL_EVIDENCE = "real_evidence.parquet"  # the real queries that the safety check was made on, if any
