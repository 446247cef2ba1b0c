"""The command `fieldtune`: what a person asks once. What is repeated is a stage of dvc.yaml."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from fieldtune.commands import serve as serving
from fieldtune.commands.clean import clean
from fieldtune.commands.compare import compare
from fieldtune.commands.estimate import estimate
from fieldtune.commands.judge import judge
from fieldtune.commands.push import push
from fieldtune.commands.search import search
from fieldtune.commands.serve import serve
from fieldtune.commands.use import use
from fieldtune.runtime.console import console
from fieldtune.runtime.errors import UserError

__all__ = ["clean", "compare", "estimate", "judge", "main", "push", "search", "serve", "use"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fieldtune", description="Tools around the pipeline that `dvc repro` runs.")
    commands = parser.add_subparsers(dest="command", required=True)

    about = "what the queries would cost: passages, tokens and dollars; spends nothing"
    command = commands.add_parser("estimate", help=about, description=about)
    command.add_argument("--generator", help="a file of conf/generator/ (default: that of params.yaml)")
    command.set_defaults(run=estimate)

    about = "your own documents: sets them in params.yaml, with their queries, and makes DVC know them"
    command = commands.add_parser("use", help=about, description=about)
    command.add_argument("documents", type=Path, metavar="folder", help="the documents, of any format")
    command.add_argument(
        "queries",
        type=Path,
        nargs="?",
        help="real queries with their answers: JSONL, CSV, TSV or XLSX (default: those of the same documents, if any)",
    )
    command.add_argument("--generator", help="a file of conf/generator/ (default: the present one where it fits)")
    command.add_argument("--pairs", type=Path, help="queries to train on that you have already, a table like `queries`")
    command.set_defaults(run=use)

    about = "real queries with answers: what several systems find for a query, judged with two keys"
    command = commands.add_parser("judge", help=about, description=about)
    command.add_argument(
        "queries", type=Path, nargs="?", help="a table with `query` (default: the search log of `queries:`, or typed)"
    )
    command.add_argument("--out", type=Path, default=Path("real.jsonl"), help="JSONL to add to (default: real.jsonl)")
    command.add_argument("--top", type=int, default=5, help="sections taken from each system (default: 5)")
    command.set_defaults(run=judge)

    command = commands.add_parser("serve", help=serving.ABOUT, description=serving.ABOUT)
    serving.arguments(command)
    command.set_defaults(run=serve)

    about = "the export to the Hugging Face Hub (private), to a folder, or to a DVC remote"
    command = commands.add_parser("push", help=about, description=about)
    command.add_argument("target", help="owner/name on the Hub; a path that begins with /, ./, ../ or ~; dvc:<remote>")
    command.add_argument("folder", type=Path, nargs="?", default=Path("data/export"), help="default: data/export")
    command.add_argument("--dry-run", action="store_true", help="only show what would go, with sizes, and be deleted")
    command.add_argument("--public", action="store_true", help="on the Hub, where everyone can read it")
    command.add_argument("--vectors", action="store_true", help="with the corpus's ids and vectors, on the Hub")
    command.set_defaults(run=push)

    about = "the evaluations of two commits, query by query: what got better and what got worse, beyond luck or not"
    command = commands.add_parser("compare", help=about, description=about)
    command.add_argument("before", metavar="A", help="a git revision")
    command.add_argument("after", nargs="?", metavar="B", help="another one (default: the files that are here now)")
    command.add_argument("--top", type=int, default=5, help="queries named that got better, and worse (default: 5)")
    command.set_defaults(run=compare)

    about = "what base model, BM25 and tuned model find for a query, side by side"
    command = commands.add_parser("search", help=about, description=about)
    command.add_argument("words", help="the query")
    command.add_argument("--top", type=int, default=5, help="sections shown of each (default: 5)")
    command.set_defaults(run=search)

    about = "disk space: deletes checkpoints of unfinished trainings and what ingest remembers, which come again"
    command = commands.add_parser("clean", help=about, description=about)
    command.add_argument("--dry-run", action="store_true", help="only show what would go, with sizes")
    command.set_defaults(run=clean)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit 1 with one line where it cannot be done."""
    given = vars(_parser().parse_args(arguments))
    del given["command"]
    run = given.pop("run")
    try:
        if said := run(**given):
            console.print(escape(said))
    except UserError as error:
        _fail(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.strerror}: {error.filename}")
    except KeyboardInterrupt:
        _fail("interrupted")


def _fail(message: str) -> None:
    console.print(f"[bold red]✗[/] {escape(message)}")
    sys.exit(1)


if __name__ == "__main__":
    main()
