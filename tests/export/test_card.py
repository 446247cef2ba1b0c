"""The model card's metadata, and what it says of models, sets and prompts."""

import re
from typing import Any

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from fieldtune.models.base_models import ModelConfig
from stages.export.card import Example, Interface, render_card
from tests.evaluate.made_up import scores
from tests.export import inputs


def written(name: str = "someone/tiny", license: str = "mit", **changes: Any) -> ModelCard:
    model = ModelConfig(
        name=name, package=None, path="/home/me/model", query_prompt="", passage_prompt="base: ", max_tokens=512,
        dimension=32, license=license, language="en",
    )  # fmt: skip
    parts: dict[str, Any] = {
        "metrics": inputs.metrics(), "dataset": inputs.DATASET, "history": inputs.HISTORY,
        "interface": Interface({"query": 'say "hi": ', "document": ""}, max_tokens=1024, dimension=32, is_base=False),
    }  # fmt: skip
    return ModelCard(render_card(model, **{"confidence": 0.9} | parts | changes))


@pytest.mark.parametrize(
    ("base_license", "license", "license_name"),
    [
        ("mit", "mit", None),
        ("Apache-2.0", "apache-2.0", None),
        ("unknown", "unknown", None),
        ("Acme Internal, v2", "other", "acme-internal-v2"),
        ("", "other", "unnamed"),
    ],
)
def test_a_licence_that_the_hub_does_not_know_is_other_with_its_name(
    base_license: str, license: str, license_name: str | None
) -> None:
    data = written(license=base_license).data
    assert (data.get("license"), data.get("license_name")) == (license, license_name)


@pytest.mark.parametrize(("name", "base_model"), [("BAAI/bge-small-en-v1.5", True), ("a local model", False)])
def test_only_a_name_on_the_hub_is_the_base_model(name: str, base_model: bool) -> None:
    made = written(name=name)
    assert made.data.get("base_model") == (name if base_model else None)
    assert f"tuned from\n{name if not base_model else f'[{name}](https://huggingface.co/{name})'}\nwith" in made.text
    assert "/home/me" not in made.content


def test_scores_stand_with_their_intervals_set_by_set() -> None:
    text = written().text
    # The tuned model: mean .8, draws half .77 and half .83; the base model's .7, .66 and .74, so the gain's .09 or .11.
    assert "### Real queries (60)" in text
    assert "| **this model** | 0.800 (0.770 to 0.830) | 0.800 (0.770 to 0.830) | 0.800 |" in text
    assert "| base model | +0.100 (+0.090 to +0.110) | +0.100 (+0.090 to +0.110) |" in text
    assert "the 90% bootstrap interval" in text
    assert "## Verdict: `ship`\n\n- A gain of 0.05 or more is meaningful." in text
    assert "| train | 60 | 15 |" in text


def test_a_gain_of_too_few_groups_has_no_interval() -> None:
    text = written(metrics={**inputs.metrics(), "real": scores(12, clusters=5).json()}).text
    assert "| base model | +0.100 (too few groups) | +0.100 (too few groups) |" in text
    assert "| **this model** | 0.800 (too few groups) | 0.800 (too few groups) | 0.800 |" in text
    assert "1.000" not in text


@pytest.mark.parametrize(("confidence", "shown"), [(0.95, "95%"), (0.975, "97.5%"), (0.995, "99.5%")])
def test_the_confidence_is_not_rounded(confidence: float, shown: str) -> None:
    assert f"in brackets, the {shown} bootstrap interval" in written(confidence=confidence).text


def test_prompts_and_limit_are_the_model_s_own_to_the_letter() -> None:
    text = written().text
    assert '| query | `"say \\"hi\\": "` |\n| passage | none |' in text
    assert "cut at 1,024 tokens" in text


@pytest.mark.parametrize(
    ("new", "sentence"), [(8, "8 of the 40 passages are new to it."), (None, "Its training passages are unknown.")]
)
def test_of_a_pinned_model_nothing_is_said_that_only_its_own_training_knows(new: int | None, sentence: str) -> None:
    text = written(history={"loss": [], "dev": [], "pinned": {"passages": 40, "new": new, "stale": False}}).text
    assert "# tiny, tuned earlier\n" in text
    assert (
        "It was tuned earlier from\n[someone/tiny](https://huggingface.co/someone/tiny)\nand is used as it is: "
        f"[fieldtune](#how-to-repeat) only measured it. {sentence}"
    ) in text
    assert "model was trained on these queries, or on the passages that answer them." in text
    for untrue in ("tuned to a team's documents", "tuned from", "not trained on", "| train |", "| dev |", "90 queries"):
        assert untrue not in text
    assert "| test | 12 | 3 |" in text
    assert "that measured this model" in text


@pytest.mark.parametrize(("similarity", "changed"), [(1.0, False), (0.9991, False), (0.999, True)])
def test_a_base_model_that_training_kept_is_not_said_to_be_tuned(similarity: float, changed: bool) -> None:
    text = written(metrics={**inputs.metrics(), "similarity_to_base": similarity}).text
    assert ("# tiny, tuned to a team's documents\n" in text) is changed
    assert ("It was tuned from" in text) is changed
    assert ("# tiny, unchanged\n" in text) is not changed
    assert (f"left its vectors as they were (mean cosine {similarity:.4f})." in text) is not changed


def test_a_pinned_model_that_is_the_base_model_is_said_to_be() -> None:
    pinned = {"pinned": {"passages": 40, "new": None, "stale": False}}
    text = written(history=pinned, metrics={**inputs.metrics(), "similarity_to_base": 1.0}).text
    assert "# tiny, unchanged\n" in text
    assert "only measured it. Its vectors are the base model's (mean cosine 1.0000). Its training" in text


def test_without_real_queries_nothing_is_said_of_them() -> None:
    metrics = {name: value for name, value in inputs.metrics().items() if not name.startswith("real")}
    text = written(metrics=metrics, dataset={**inputs.DATASET, "real": {"test": 0, "dev": 0, "train": 0}}).text
    assert "real queries" not in text.lower()
    assert "### Generated queries, held out (12)" in text


def rendered_cells(text: str) -> list[list[str]]:
    """The texts of a page's last table, row by row, as a reader of the card sees them."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    last = max(number for number, token in enumerate(tokens) if token.type == "table_open")
    rows: list[list[str]] = []
    for token in tokens[last:]:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            kinds = {child.type for child in token.children or []}
            assert kinds <= {"text", "text_special"}, token.content
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows


def test_examples_are_shown_as_they_are_written_and_cut() -> None:
    wild = "a|b `c` *d* <img src=x> [e](f) &amp; ~g~ \\| _h_"
    card = written(
        examples=[
            Example(f" {wild}\n\n", "Images | Copy", "word " * 40, answers=True),
            Example("次", "", "字" * 161, answers=False),
        ]
    ).text
    section = card[card.index("## Examples") : card.index("## Data")]
    assert rendered_cells(section) == [
        ["query", "first passage", "its beginning", "an answer"],
        [wild, "Images | Copy", "word " * 31 + "word …", "yes"],
        ["次", "", "字" * 160 + " …", "no"],
    ]
    assert "contains no document and no query" not in card


def test_without_examples_the_card_says_that_nothing_is_in_it() -> None:
    text = written().text
    assert "Examples" not in text
    assert (
        "This folder contains no document and no query; the ids in\n`vectors/`, if that folder exists, are names of "
        "files with headings.\nWhere the folder has `search/`, the words of the documents are in it with their counts"
    ) in text
    assert not re.search(r"\n\n\n", text)
