"""Models of other kinds, parts of models and broken ones, as people download and save them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, Qwen3Config, Qwen3ForCausalLM

from fieldtune.models import model_folder, soundness
from fieldtune.models.base_models import ModelConfig
from fieldtune.models.encoder import assumptions, load_base, load_folder
from fieldtune.runtime.errors import UserError
from tests.tiny_model import tiny_model


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The transformer's files alone, as `hf download` without the other folders leaves them."""
    tiny_model(tmp_path / "plain")
    return tmp_path / "plain"


@pytest.fixture
def whole(tmp_path: Path, plain: Path) -> Path:
    SentenceTransformer(str(plain), device="cpu").save_pretrained(str(tmp_path / "whole"), create_model_card=False)
    return tmp_path / "whole"


def settings(folder: Path, **values: Any) -> ModelConfig:
    given = {
        "name": "mine", "package": None, "path": str(folder), "query_prompt": None, "passage_prompt": None,
        "max_tokens": None, "dimension": None, "license": "mit", "language": None,
    }  # fmt: skip
    config: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ModelConfig), given | values))
    assert isinstance(config, ModelConfig)
    return config


def edit(path: Path, **values: Any) -> None:
    read = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps(read | values), encoding="utf-8")


def reranker(folder: Path) -> None:
    BertForSequenceClassification(BertConfig.from_pretrained(folder, num_labels=1)).save_pretrained(folder)


def saved_reranker(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", model_type="CrossEncoder")


def splade(folder: Path) -> None:
    BertForMaskedLM(BertConfig.from_pretrained(folder)).save_pretrained(folder)
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.sparse_encoder.modules.MLMTransformer"},
        {"idx": 1, "name": "1", "path": "1", "type": "sentence_transformers.sparse_encoder.modules.SpladePooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")


def colbert(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", model_type="ColBERT")


def adapter(folder: Path) -> None:
    model = SentenceTransformer(str(folder), device="cpu")
    model.add_adapter(LoraConfig(r=4, target_modules=["query"]))
    model.save_pretrained(str(folder), create_model_card=False)


def peft_adapter(folder: Path) -> None:
    edit(folder / "adapter_config.json", base_model_name_or_path="BAAI/bge-small-en-v1.5")


OTHERS = {
    reranker: r"is a cross-encoder \(a reranker\).*`evaluate.reranker`",
    saved_reranker: r"is a cross-encoder",
    splade: r"gives sparse vectors",
    colbert: r"gives a vector per token",
    adapter: r"holds an adapter of .*merge it",
    peft_adapter: r"holds an adapter of BAAI/bge-small-en-v1.5",
}


@pytest.mark.parametrize("make", OTHERS, ids=lambda make: make.__name__)
def test_another_kind_of_model_is_refused_by_what_it_is(plain: Path, make: Any) -> None:
    make(plain)
    with pytest.raises(UserError, match=OTHERS[make]):
        model_folder.refuse_others(plain)  # as compose does, which loads nothing
    with pytest.raises(UserError, match=OTHERS[make]):
        load_folder(plain)


def test_whole_and_plain_embedding_models_are_none_of_these(plain: Path, whole: Path) -> None:
    BertForMaskedLM(BertConfig.from_pretrained(plain)).save_pretrained(plain)  # as bert-base-uncased
    for folder in (plain, whole):
        model_folder.refuse_others(folder)
        assert model_folder.own_code(folder) is None


def test_a_folder_that_says_no_pooling_is_taken_with_a_line(plain: Path, whole: Path) -> None:
    (line,) = assumptions(load_base(settings(plain)), settings(plain))
    assert "has no modules.json" in line
    assert "mean pooling is assumed" in line
    assert assumptions(load_base(settings(whole)), settings(whole)) == []


def test_a_causal_model_says_which_pooling_is_assumed(plain: Path) -> None:
    sizes: dict[str, Any] = {
        "vocab_size": 64,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "head_dim": 8,
    }
    config = Qwen3Config(**sizes, num_key_value_heads=2, intermediate_size=64, pad_token_id=1)
    Qwen3ForCausalLM(config).save_pretrained(plain)
    loaded = load_base(settings(plain))
    (line,) = assumptions(loaded, settings(plain))
    assert f"{loaded[1].pooling_mode} pooling is assumed" in line


def test_a_model_without_its_tokenizer_is_refused(whole: Path, plain: Path) -> None:
    for folder in (whole, plain):
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()
        with pytest.raises(UserError, match=r"has no tokenizer|does not load as an embedding model"):
            load_folder(folder)


def test_code_of_its_own_is_named_and_nobody_is_told_to_run_it(whole: Path) -> None:
    edit(
        whole / "config.json",
        model_type="x_new",
        auto_map={"AutoModel": "modeling_x.XModel", "AutoConfig": "configuration_x.XConfig"},
    )
    words = r"needs code of its own \(modeling_x.XModel, configuration_x.XConfig\)"
    with pytest.raises(UserError, match=words) as refused:
        load_folder(whole)
    assert "trust_remote_code" not in str(refused.value)
    modules = json.loads((whole / "modules.json").read_text(encoding="utf-8"))
    modules[0]["type"] = "custom_st.Transformer"
    (whole / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    assert model_folder.own_code(whole) == "custom_st.Transformer"


def test_broken_weights_are_said_to_be_that(whole: Path) -> None:
    weights = load_file(whole / "model.safetensors")
    name = next(name for name in weights if "word_embeddings" in name)
    weights[name][10] = float("nan")  # of a single word, which a sample may miss
    save_file(weights, whole / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"the weights of mine are broken: .*word_embeddings.* get the model again"):
        soundness.refuse_broken_weights(load_folder(whole), "mine")


def test_vectors_that_tell_nothing_are_refused(whole: Path) -> None:
    model = load_folder(whole)
    texts = [f"word{row} word{row + 1}" for row in range(20)]
    soundness.refuse_uninformative(model, "mine", texts)
    soundness.refuse_uninformative(model, "mine", [*texts[:11], *("zyx quux" for _ in range(9))])
    with pytest.raises(UserError, match=r"100% of the tokens of the passages are unknown to the tokenizer of mine"):
        soundness.refuse_uninformative(model, "mine", [f"zyx{row} quux" for row in range(20)])
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    with pytest.raises(UserError, match="gives the same vector for all texts: its weights are broken"):
        soundness.refuse_uninformative(model, "mine", texts)


@pytest.mark.parametrize(
    ("prompts", "query", "document"),
    [
        ({"query": "word1 ", "passage": "word2 "}, "word1 ", "word2 "),
        ({"search_query": "word1 ", "search_document": "word2 "}, "word1 ", "word2 "),
        ({"retrieval.query": "word1 ", "retrieval.passage": "word2 ", "separation": "word3 "}, "word1 ", "word2 "),
        ({"queries": "word1 "}, "word1 ", ""),
    ],
)
def test_prompts_are_used_by_their_other_names(whole: Path, prompts: dict[str, str], query: str, document: str) -> None:
    edit(whole / "config_sentence_transformers.json", prompts=prompts)
    loaded = load_base(settings(whole))
    assert (loaded.prompts["query"], loaded.prompts["document"]) == (query, document)
    assert assumptions(loaded, settings(whole)) == []
    by_settings = load_base(settings(whole, query_prompt="word5 ", passage_prompt=""))
    assert (by_settings.prompts["query"], by_settings.prompts["document"]) == ("word5 ", "")


def test_prompts_that_nobody_knows_are_said(whole: Path) -> None:
    edit(whole / "config_sentence_transformers.json", prompts={"retrieval": "word1 "}, default_prompt_name="retrieval")
    loaded = load_base(settings(whole))
    (line,) = assumptions(loaded, settings(whole))
    assert "has prompts named retrieval" in line
    given = settings(whole, query_prompt="word1 ")
    assert assumptions(load_base(given), given) == []
