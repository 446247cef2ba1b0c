"""Names of the files beside a tuned model's own in the folder that `train` writes."""

HISTORY = "history.json"  # loss and dev scores by step, and what was chosen
PASSAGES = "known_passages.txt"  # hashes of the passages that it was tuned on
REAL_EVIDENCE = "real_evidence.parquet"  # the real queries that were asked whether it is better, if any
