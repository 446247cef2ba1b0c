"""The choice of a base model: its revision from the hub, its files, and its file in conf/model/."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fieldtune.commands import params
from fieldtune.commands.version_control import shown
from fieldtune.corpus import files
from fieldtune.models import base_models, hub
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError

if TYPE_CHECKING:
    from stages.compose.schema import Config

_FOLDER = paths.CONF / "model"
_LONGEST = 32_768  # tokens that `max_tokens:` may say


def choose(model: str) -> tuple[list[str], list[str]]:
    """Set `model:` in params.yaml, and `revision:` in the model's file, whose weights are downloaded first.

    `model`: a file in conf/model/ or `owner/name` on the hub, for which a file is written if there is none; with
    `@<commit, branch or tag>` for another revision than the one in its file. Returns lines to show, and the files that
    were written. Raises UserError, with nothing written, if the model cannot be had.
    """
    name, _, revision = model.partition("@")
    text, _ = params.read()
    choice = _choice(name)
    if choice is not None:
        lines, written = obtain(choice, revision or None)
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII):
        choice, lines, written = _add_choice(name, revision or None)
    else:
        from stages.compose.layers import available_choices

        raise UserError(
            f"--model {name}: neither a file in {_FOLDER}/ nor owner/name on the model hub; available: "
            f"{', '.join(available_choices(paths.CONF, 'model'))}"
        )
    new = params.edited(text, {"model": choice})
    if new != text:
        files.write_text(paths.PARAMS, new)
        written.append(paths.PARAMS.as_posix())
    return [f"model: {choice} ({lines[0]})", *lines[1:]], written


def _choice(name: str) -> str | None:
    """The file in conf/model/ with this name, or of the model with this name on the hub."""
    from stages.compose.layers import available_choices

    choices = available_choices(paths.CONF, "model")
    if name in choices:
        return name
    return next((choice for choice in choices if _settings(choice).get("name") == name), None)


def _settings(choice: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load((_FOLDER / f"{choice}.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return values if isinstance(values, dict) else {}


def _composed(**values: str) -> "Config":
    from stages.compose.compose import compose

    return compose(paths.PARAMS, paths.CONF, values)


def obtain(choice: str, revision: str | None = None) -> tuple[list[str], list[str]]:
    """Get the model of a file in conf/model/, and write its revision there.

    `revision` None: the file's, or the hub's newest. Returns lines to show, and the files that were written. Raises
    UserError if the model cannot be had.
    """
    config = _composed(model=choice)
    model = config.model
    if not model.on_hub:
        if revision is not None:
            raise UserError(f"{_FOLDER / choice}.yaml: its files do not come from the model hub: leave out @{revision}")
        base_models.locate(model, offline=True, choice=choice)
        return [model.name], []
    wanted = revision or model.revision
    if wanted is not None and wanted == model.revision and base_models.find(model) is not None:
        return [f"{model.name}, revision {wanted[:12]}, in the local hub cache"], []
    if forbidden := hub.forbidden_by(config.offline):
        held = hub.cached(model.name, wanted)
        if held is None:
            raise UserError(f"{model.name} is not in the local hub cache, and is not downloaded, since {forbidden}")
        commit, line = held.name, f"{model.name}, revision {held.name[:12]}, in the local hub cache"
    else:
        repository = _download(model.name, wanted)
        commit, line = repository.revision, f"{model.name}, revision {repository.revision[:12]}"
    return [line], _write_revision(_FOLDER / f"{choice}.yaml", commit)


def _write_revision(file: Path, commit: str) -> list[str]:
    text = file.read_bytes().decode()
    new = params.edited(text, {"revision": commit}, file)
    if new == text:
        return []
    files.write_text(file, new)
    return [file.as_posix()]


def _download(name: str, revision: str | None) -> hub.Repository:
    repository = hub.resolve(name, revision)
    note(hub.summary(repository))
    hub.download(repository)
    return repository


def _add_choice(name: str, revision: str | None) -> tuple[str, list[str], list[str]]:
    """Write a file in conf/model/ for a model of the hub out of what its repository says."""
    if forbidden := hub.forbidden_by(_composed().offline):
        raise UserError(f"{name} has no file in {_FOLDER}/, and is not asked about at the hub, since {forbidden}")
    repository = _download(name, revision)
    folder = hub.cached(name, repository.revision)
    assert folder is not None
    values, unknown = _described(repository, folder)
    choice = _new_choice(name)
    file = _FOLDER / f"{choice}.yaml"
    text = [f"# {name}, as its repository describes it. Compare the prompts with its card: wrong ones cost quality."]
    text += [f"# Unknown: {line}" for line in unknown]
    text += [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    files.write_text(file, "\n".join(text) + "\n")
    lines = [
        f"{name}, revision {repository.revision[:12]}",
        f"wrote {shown(file)}: {_facts(values)}",
        *(f"! unknown: {line}" for line in unknown),
    ]
    return choice, lines, [file.as_posix()]


def _facts(values: dict[str, Any]) -> str:
    prompts = ", ".join(
        f"{key} {json.dumps(values[key], ensure_ascii=False)}" for key in ("query_prompt", "passage_prompt")
    )
    return f"{prompts}, max_tokens {values['max_tokens']}, dimension {values['dimension']}"


def _new_choice(name: str) -> str:
    """A name for a model's file that none has yet: that of its repository, then with its owner."""
    owner, short = (re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_") for part in name.split("/"))
    return short if not (_FOLDER / f"{short}.yaml").exists() else f"{owner}_{short}"


def _described(repository: hub.Repository, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The settings of a model as its downloaded repository has them, and a line on each that it does not say."""
    from fieldtune.models import encoder, model_folder

    loaded = encoder.load_folder(folder, device="cpu")
    prompts = encoder.own_prompt(loaded, "query"), encoder.own_prompt(loaded, "document")
    limit = encoder.own_limit(loaded)
    length = limit if limit is not None and 8 <= limit <= _LONGEST else None
    languages = repository.languages
    unknown = []
    if not any(prompts):
        others = sorted(name for name, prompt in loaded.prompts.items() if prompt)
        named = f" (it has some named {', '.join(others)})" if others else ""
        unknown.append(f"the prompts of queries and passages{named}; none is used, and many models need one")
    if model_folder.assumed_pooling(folder):
        unknown.append("the pooling; the mean of the tokens is assumed")
    if length is None:
        unknown.append("the longest input; max_tokens is null, which means what the tokenizer says")
    if repository.license is None:
        unknown.append("the licence")
    if not languages:
        unknown.append("the languages")
    return {
        "name": repository.name,
        "package": None,
        "path": None,
        "revision": repository.revision,
        "query_prompt": prompts[0],
        "passage_prompt": prompts[1],
        "max_tokens": length,
        "dimension": loaded.get_embedding_dimension(),
        "license": repository.license or "unknown",
        "language": languages[0] if len(languages) == 1 and re.fullmatch("[a-z]{2}", languages[0]) else None,
    }, unknown
