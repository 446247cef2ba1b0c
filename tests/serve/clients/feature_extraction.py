"""Vectors of texts by optimum, from a folder as it lies on disk: one JSON list of rows. It needs transformers 4."""

import json
import sys

import torch
from optimum.onnxruntime import ORTModelForFeatureExtraction  # type: ignore[import-not-found]
from transformers import AutoTokenizer

folder, file, texts = sys.argv[1:]
batch = AutoTokenizer.from_pretrained(folder)(json.loads(texts), padding=True, truncation=True, return_tensors="pt")
tokens = ORTModelForFeatureExtraction.from_pretrained(folder, file_name=file)(**batch).last_hidden_state
mask = batch["attention_mask"].unsqueeze(-1)
print(json.dumps(torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1)).tolist()))
