"""The command line `fieldtune`. Repeated work is a stage of dvc.yaml instead."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import argparse
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from rich.markup import escape

from fieldtune.commands import (
    clean,
    compare,
    doctor,
    estimate,
    experiments,
    judge,
    push,
    search,
    serve,
    style,
    use,
    version_control,
)
from fieldtune.runtime.console import console
from fieldtune.runtime.errors import UserError

_COMMANDS: dict[str, tuple[ModuleType, Callable[..., str]]] = {  # in the order of --help
    "estimate": (estimate, estimate.estimate),
    "use": (use, use.use),
    "style": (style, style.style),
    "judge": (judge, judge.judge),
    "serve": (serve, serve.serve),
    "push": (push, push.push),
    "experiments": (experiments, experiments.experiments),
    "compare": (compare, compare.compare),
    "search": (search, search.search),
    "clean": (clean, clean.clean),
    "doctor": (doctor, doctor.doctor),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fieldtune", description="Tools around the pipeline that `dvc repro` runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, _) in _COMMANDS.items():
        module.arguments(commands.add_parser(name, help=module.ABOUT, description=module.ABOUT))
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit with 1 and one line if it fails."""
    try:
        _check_text(sys.argv[1:] if arguments is None else arguments)
        options = vars(_parser().parse_args(arguments))
        _, run = _COMMANDS[options.pop("command")]
        if summary := run(**options):
            console.print(escape(summary))
    except UserError as error:
        _fail(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.strerror}: {error.filename}")
    except KeyboardInterrupt:
        _fail("interrupted")


def _check_text(arguments: Sequence[str]) -> None:
    """Raise UserError for an argument with bytes that are not text, which no tokenizer and no file name of DVC's can
    hold.
    """
    for argument in arguments:
        if os.path.lexists(argument):
            version_control.check_name(argument)
        elif (shown := version_control.readable(argument)) != argument:
            raise UserError(f"{shown}: an argument that is not UTF-8 text: type it in a terminal that is set to UTF-8")


def _fail(message: str) -> None:
    console.print(f"[bold red]✗[/] {escape(message)}")
    sys.exit(1)


if __name__ == "__main__":
    main()
