"""`fieldtune use --rivals`: the folder of a team's rivals in params.yaml, checked at once, its large files in DVC."""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fieldtune.commands import base_model, params, version_control
from fieldtune.commands.version_control import Out, shown, way_to_get
from fieldtune.corpus import files, overlaps
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.compose.compose import model_choices
from stages.rivals.config import FILE, Api, Base, RivalsConfig, read_rivals
from stages.rivals.systems import ModelRival, RunRival, load_rival


@dataclass(frozen=True)
class ChosenRivals:
    """A folder of rivals in which all is well."""

    place: str  # as params.yaml names it
    names: Sequence[str] = ()
    bases: Sequence[str] = ()  # files in conf/model/
    places: dict[Path, list[Path]] = field(default_factory=dict)  # of models and run files: their files
    paid: bool = False
    warnings: Sequence[str] = ()


def check(given: Path, documents: Path, known: Sequence[Out]) -> ChosenRivals:
    """Check a folder with rivals.yaml, or that file; `documents` is the folder of the documents.

    Raises UserError for a place that is not found, or that the pipeline writes, and for whatever is wrong in the file
    or missing beside it.
    """
    if given.is_file() and files.is_blank(given):
        return ChosenRivals(shown(given.absolute()))
    folder = (given.parent if given.name == FILE and not given.is_dir() else given).resolve()
    version_control.check_name(shown(folder))
    version_control.refuse_outputs(folder, known)
    if not (folder / FILE).is_file():
        get = way_to_get(folder / FILE, known)
        do = f", but DVC tracks it: {get}" if get else ": write it, as docs/rivals.md says; it names the rivals"
        raise UserError(f"{shown(folder / FILE)} not found{do}")
    overlaps.refuse_among_documents(documents, {"rivals": Path(shown(folder))})
    config = RivalsConfig(rivals=shown(folder), bases=model_choices(paths.CONF))
    rivals = read_rivals(Path(config.rivals))
    places: dict[Path, list[Path]] = {}
    inside = folder.is_relative_to(Path.cwd())
    warnings = [] if inside else [f"{folder} is outside the repository: a clone will not have it"]
    for name, settings in rivals.items():
        if isinstance(settings, Api):
            warnings += _api_warnings(f"{config.rivals}/{FILE}: {name}", settings)
            continue
        rival = load_rival(name, settings, config)
        match rival:
            case RunRival():
                place = rival.run.path.absolute()
                places[place] = [place]
            case ModelRival() if not isinstance(settings, Base):
                place = Path(str(rival.model.path)).absolute()
                places[place] = [path for path in sorted(place.rglob("*")) if not path.is_dir()]
    apis = [settings for settings in rivals.values() if isinstance(settings, Api)]
    bases = [settings.base for settings in rivals.values() if isinstance(settings, Base)]
    paid = any(settings.price for settings in apis)
    return ChosenRivals(config.rivals, [*rivals], bases, places, paid, list(dict.fromkeys(warnings)))


def _api_warnings(place: str, settings: Api) -> list[str]:
    """Lines on what a run would lack. Raises UserError for a URL that is not one."""
    from fieldtune.buying import network  # takes a second to import

    network.checked_url(settings.url, f"{place}: url")
    warnings = []
    if importlib.util.find_spec("openai") is None:
        warnings.append("an embeddings API needs the package openai: pip install 'fieldtune[api]'")
    if settings.key_env is not None and not os.environ.get(settings.key_env):
        warnings.append(f"{settings.key_env} is not set: export it before the next run")
    return warnings


def use(chosen: ChosenRivals, known: Sequence[Out]) -> tuple[list[str], list[str]]:
    """Set `rivals:` in params.yaml; get the base models, and `dvc add` what neither git nor DVC tracks.

    Returns lines to show, and the files that may have been written. Raises UserError if a model cannot be had.
    """
    lines = [f"rivals: {chosen.place} ({', '.join(chosen.names)})" if chosen.names else "rivals: none"]
    lines += [f"! {warning}" for warning in chosen.warnings]
    written = [f"{chosen.place}/{FILE}"] if chosen.names else []
    for base in dict.fromkeys(chosen.bases):
        of_base, files_of_base = base_model.obtain(base)
        lines += [f"base model {base}: {of_base[0]}", *of_base[1:]]
        written += files_of_base
    inside = {place: there for place, there in chosen.places.items() if place.is_relative_to(Path.cwd())}
    lines += version_control.track(inside, known)
    text, _ = params.read()
    new = params.edited(text, {"rivals": chosen.place})
    if new != text:
        files.write_text(paths.PARAMS, new)
    for place in inside:
        written += [f"{shown(place)}.dvc", shown(place.parent / ".gitignore")]
    return lines, [name for name in written if not Path(name).is_absolute()]
