"""`fieldtune use`: a team's own documents, queries and base model in params.yaml, tracked by git or DVC."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldtune.commands import base_model, chosen_rivals, generators, params, style, version_control
from fieldtune.commands.query_rows import has_answer, query_of
from fieldtune.commands.version_control import Out, missing, shown, way_to_get
from fieldtune.corpus import beir, files, overlaps, tables
from fieldtune.corpus.judgements import grade_of, is_answered
from fieldtune.corpus.providers import TRAITS, Traits
from fieldtune.corpus.style import Style, style_yaml
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.sources.places import NAMES, misnamed
from stages.compose.schema import PLACES
from stages.ingest.documents import is_hidden
from stages.real.splits import split_of

_FALLBACK = next(name for name, traits in TRAITS.items() if traits.offline)  # needs nothing but documents


ABOUT = "point params.yaml at your documents and queries, and track them with DVC; name a base model and rivals"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "documents", type=Path, nargs="?", metavar="folder", help="the folder of documents, in any format"
    )
    parser.add_argument(
        "queries",
        type=Path,
        nargs="?",
        help="real queries with their answers: JSONL, CSV, TSV or XLSX (default: unchanged for the same documents)",
    )
    parser.add_argument("--generator", help="a file in conf/generator/ (default: the present one if it fits)")
    parser.add_argument(
        "--model", help="a base model to download: a file in conf/model/, or owner/name on the hub; @revision if wanted"
    )
    parser.add_argument("--rivals", type=Path, help="the folder with rivals.yaml, which names what you run today")
    parser.add_argument("--pairs", type=Path, help="existing queries to train on, in a table like `queries`")
    parser.add_argument("--yes", action="store_true", help="use the style of a search log (see `style`) without asking")


def use(
    documents: Path | None,
    queries: Path | None = None,
    generator: str | None = None,
    pairs: Path | None = None,
    yes: bool = False,
    model: str | None = None,
    rivals: Path | None = None,
) -> str:
    """Set documents, tables, generator, base model and rivals in params.yaml, and track or download what is new.

    Without `documents` only the base model or the rivals change. Returns what was set and what to type next. Raises
    UserError for a model that cannot be had, for rivals that are not right, and as `_use_documents` does.
    """
    if documents is None and ((model is None and rivals is None) or any((queries, generator, pairs))):
        raise UserError(
            "name the folder of your documents: fieldtune use <folder>; or only a model, --model <name>, or rivals, "
            "--rivals <folder>"
        )
    known = version_control.outs() if rivals is not None else []
    chosen = None
    if rivals is not None:  # checked before anything is written
        now = Path(str(params.read()[1].get("documents") or paths.SAMPLE_DOCS))
        chosen = chosen_rivals.check(rivals, documents or now, known)
    lines, written = base_model.choose(model) if model is not None else ([], [])
    paid = False
    if documents is not None:
        more_lines, more_written, paid = _use_documents(documents, queries, generator, pairs, yes)
        lines, written = [*lines, *more_lines], [*written, *more_written]
    if chosen is not None:
        more_lines, more_written = chosen_rivals.use(chosen, known)
        lines, written = [*lines, *more_lines], [*written, *more_written]
    if changed := version_control.uncommitted(list(dict.fromkeys([paths.PARAMS.as_posix(), *written]))):
        lines.append(f"commit it: git add {shlex.join(changed)} && git commit")
    if paid:
        lines.append("estimate the cost of its queries: dvc repro ingest && fieldtune estimate")
    if chosen is not None and chosen.paid:
        lines.append("estimate the cost of the rivals' vectors: dvc repro dataset && fieldtune estimate")
    return "\n".join([*lines, "next: dvc repro"])


def _use_documents(
    documents: Path, queries: Path | None, generator: str | None, pairs: Path | None, yes: bool
) -> tuple[list[str], list[str], bool]:
    """Set documents, queries, pairs and generator in params.yaml, and `dvc add` what neither git nor DVC tracks.

    Tables that are not given stay as they are if the documents do. Everything is checked before anything is written.
    Returns lines to show, the files that may have been written, and whether the generator's queries cost money. Raises
    UserError for a place that is not found or that the pipeline writes, a table without its columns, and a generator
    that has no file or cannot write queries for these documents.
    """
    text, now = params.read()
    known = version_control.outs()
    _check_names([path for path in (documents, queries, pairs) if path], known)
    folder = documents.resolve()
    places = {folder: _files_of(folder, documents, known)}
    named = {name: Path(str(now[name])) for name in PLACES if name != "documents" and now.get(name)}
    overlaps.refuse_among_documents(folder, named)
    count = len(places[folder])
    lines = [f"documents: {shown(folder)} ({count:,} {'file' if count == 1 else 'files'})"]
    set_now = {name: Path(str(now.get(name) or paths.NONE)) for name in ("queries", "pairs")}
    kept = set_now if Path(str(now.get("documents"))).resolve() == folder else {}
    given = {"queries": queries, "pairs": pairs}
    tables_of = {name: _table(given[name] or kept.get(name)) for name in given}
    if tables_of["queries"] == tables_of["pairs"] != _table(paths.NONE):
        raise UserError("queries and pairs are the same file: queries that were trained on cannot be the test")
    for name, table in tables_of.items():
        if table != _table(paths.NONE):
            if given[name] is None and not table.is_file():
                raise UserError(
                    f"{shown(table)} {missing(table, known)}; params.yaml names it: name another, or {paths.NONE}"
                )
            places[table] = [table]
            counts, warning = _rows(name, table, folder, known)
            line = f"{shown(table)} ({counts})" + (f"\n! {warning}" if warning else "")
        else:
            own = name == "queries" and beir.is_beir(folder)
            line = "those of the folder, which has BEIR's layout" if own else "none"
        lines.append(f"{name}: {line}")
        if table == _table(paths.NONE) and set_now[name] not in (paths.NONE, paths.SAMPLE_REAL):
            lines.append(f"! {set_now[name]} is no longer used")
    values = {"documents": shown(folder), **{name: shown(table) for name, table in tables_of.items()}}
    values["generator"], why, paid = _generator(generator, now.get("generator"), values)
    lines.append(f"generator: {values['generator']}{why}")
    values["style"], new_style = _style({**now, **values}, tables_of["queries"], yes)
    new = params.edited(text, values)
    lines += version_control.track(places, known)
    if new_style:
        files.write_text(style.FILE, style_yaml(new_style))
        lines.append(f"style: {style.FILE} ({len(new_style.examples)} examples)")
    if new != text:
        files.write_text(paths.PARAMS, new)
    written = [f"{shown(place)}.dvc" for place in places] + [shown(place.parent / ".gitignore") for place in places]
    inside = [name for name in written if not Path(name).is_absolute()]
    return lines, [*([style.FILE.as_posix()] if new_style else []), *inside], paid


def _style(settings: Mapping[str, Any], queries: Path, yes: bool) -> tuple[str, Style | None]:
    """The style to name, and a new one from the log if none is set and a person agrees."""
    now = style.style_in_use(settings)
    if now != paths.NONE or not queries.is_file() or files.is_blank(queries):
        return now.as_posix(), None
    try:
        chosen = style.style_of_table(queries)
    except UserError:  # too few queries: a style is optional
        return now.as_posix(), None
    if style.confirmed(chosen, style.FILE, yes):
        return style.FILE.as_posix(), chosen
    return now.as_posix(), None


def _table(given: Path | None) -> Path:
    """The absolute path of a table, or of the empty table; links are not followed: they may lead to DVC's cache."""
    path = given or paths.NONE
    return path.parent.resolve() / path.name


def _files_of(folder: Path, given: Path, known: Sequence[Out]) -> list[Path]:
    """The files of the documents folder that are not hidden."""
    version_control.refuse_outputs(folder, known)
    if not folder.is_dir():
        raise UserError(f"{given} " + ("is a file: name its folder" if folder.is_file() else missing(folder, known)))
    there = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    hidden = [path for path in there if is_hidden(path, folder)]
    inside = folder.is_relative_to(Path.cwd())
    # DVC tracks hidden files, too, but not those that .dvcignore excludes, nor the contents of a .git.
    unseen = {*version_control.ignored(folder, hidden)} if inside and hidden else set()
    _check_names([path for path in there if path not in unseen], known)
    readable = [path for path in there if path.is_file() and not is_hidden(path, folder)]
    if not readable:
        raise UserError(f"{given} has no files")
    return readable


def _check_names(there: Sequence[Path], known: Sequence[Out]) -> None:
    """Raise UserError for what DVC cannot track: a name that is not UTF-8, a broken link."""
    for path in there:
        version_control.check_name(shown(path))
        if path.is_symlink() and not path.exists():
            get = way_to_get(path.absolute(), known) or "remove or repair it"
            raise UserError(f"{shown(path)} is a broken link: {get}")


def _rows(name: str, table: Path, folder: Path, known: Sequence[Out]) -> tuple[str, str | None]:
    """Counts of a table's rows, in words, and a warning about its columns.

    Raises UserError if it cannot be what it is meant to be.
    """
    version_control.refuse_outputs(table, known)
    if not table.is_file():
        raise UserError(f"{shown(table)} " + ("is a folder" if table.is_dir() else missing(table, known)))
    if table.is_relative_to(folder) and not beir.is_beir(folder):
        raise UserError(f"{shown(table)} lies among the documents and would be read as one: move it elsewhere")
    answered = log = 0
    columns: dict[str, None] = {}
    for where, row in tables.read(Path(shown(table))):
        query_of(where, row)
        if name == "queries":
            split_of(where, row)
            grade_of(where, row)
            is_answered(where, row)
        columns |= dict.fromkeys(row)
        placed = has_answer(row)
        if name == "pairs" and not placed:
            raise UserError(f"{where}: no place of the answer: add a column, {', '.join(NAMES)} (with section)")
        answered, log = answered + placed, log + (not placed)
    if not answered + log:
        raise UserError(f"{shown(table)} has no rows")
    parts = [f"{answered:,} with an answer"] if answered else []
    if log:
        parts.append(f"{log:,} without an answer: find answers with `fieldtune judge`")
    return ", ".join(parts), misnamed([columns])


def _generator(requested: str | None, now: object, values: Mapping[str, str]) -> tuple[str, str, bool]:
    """The generator to use, a remark if it is neither the one requested nor the one set, and whether its queries cost
    money.
    """
    name = str(now) if requested is None else requested
    traits, misfit = _fit(name, values)
    paid = any(one.paid for one in traits)
    if requested is not None:
        if misfit:
            raise UserError(f"--generator {name}: {misfit}")
        return name, "", paid
    beside = " (besides the pairs; `--generator pairs` uses them alone)" if _has_pairs(values) else ""
    if misfit:
        return _FALLBACK, f" (not {name}: {misfit}){beside}", False
    return name, "" if all(one.needs_pairs for one in traits) else beside, paid


def _fit(name: str, values: Mapping[str, str]) -> tuple[list[Traits], str | None]:
    """The traits of a generator's providers, and why it cannot write queries for these documents; None if it can."""
    if why := generators.unknown(name):
        return [], why
    traits = [TRAITS[provider] for provider in generators.settings(**values, generator=name).generator.providers]
    if any(one.of_sample for one in traits) and values["documents"] != paths.SAMPLE_DOCS.as_posix():
        return traits, "its queries are for the sample's documents"
    if all(one.needs_pairs for one in traits) and not _has_pairs(values):
        return traits, "it needs `--pairs FILE`"
    return traits, None


def _has_pairs(values: Mapping[str, str]) -> bool:
    return values["pairs"] != paths.NONE.as_posix()
