"""The rivals as systems that rank: models in folders, embeddings APIs, and run files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.models import checks
from fieldtune.models.base_models import ModelConfig, locate
from fieldtune.retrieval import ranking
from fieldtune.retrieval.ranking import Rankings
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from stages.rivals import runs
from stages.rivals.config import FILE, Api, Base, Folder, RivalsConfig, Run, Settings, read_rivals
from stages.rivals.embeddings import EmbeddingsRival
from stages.rivals.vectors import VectorLedger


@dataclass(frozen=True)
class RetrievalTask:
    """The queries to rank, and the passages among which."""

    ids: Sequence[str]  # the queries' ids, if they are judged ones; otherwise their texts
    texts: Sequence[str]
    corpus: Corpus
    passages: Sequence[dict[str, Any]]  # rows of passages.jsonl, those of the corpus


class Rival(Protocol):
    """A system that a team runs today, or might."""

    name: str

    def rank(self, task: RetrievalTask) -> Rankings:
        """Rankings of the queries. Raises UserError if it cannot rank them."""
        ...

    def facts(self) -> dict[str, Any]:
        """The facts that its running costs follow from, after `rank`."""
        ...


@dataclass
class ModelRival:
    """A model whose files are here."""

    name: str
    model: ModelConfig
    config: RivalsConfig
    _facts: dict[str, Any] = field(default_factory=dict)

    def rank(self, task: RetrievalTask) -> Rankings:
        from fieldtune.models import encoder
        from fieldtune.models.cached_encoder import CachedEncoder
        from fieldtune.models.precision import use_bf16

        folder = locate(self.model)
        cached = CachedEncoder(
            encoder.load_base(self.model),
            folder,
            bf16=use_bf16(self.config.precision),
            batch_size=self.config.batch_size,
            name=self.model.name,
        )
        passages = cached.encode(task.corpus.texts, "document", label=f"encoding passages with {self.name}")
        queries = cached.encode(task.texts, "query", label=f"encoding queries with {self.name}")
        if cached.encoded:
            note(f"rival {self.name}: {cached.encoded:,} texts encoded")
        weights = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("*.bin"))
        self._facts = {"model_bytes": files.disk_size(*weights), "dimension": passages.shape[1]}
        return ranking.dense(queries, passages, task.corpus)

    def facts(self) -> dict[str, Any]:
        return {"kind": "model", "model": self.model.name, **self._facts}


@dataclass
class ApiRival:
    """An embeddings API."""

    name: str
    embeddings: EmbeddingsRival
    _facts: dict[str, Any] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)  # of the vectors behind the last ranking

    def rank(self, task: RetrievalTask) -> Rankings:
        api, passages = self.embeddings, task.corpus.texts
        vectors = api.embed({"document": passages, "query": task.texts})
        self.keys = [*api.keys("document", passages), *api.keys("query", task.texts)]
        self._facts = {
            "dimension": vectors["document"].shape[1],
            "tokens_per_query": round(api.tokens("query", task.texts), 3),
            "tokens_per_passage": round(api.tokens("document", passages), 3),
        }
        return ranking.dense(vectors["query"], vectors["document"], task.corpus)

    def facts(self) -> dict[str, Any]:
        settings = self.embeddings.settings
        price = {"dollars_per_million_tokens": settings.price, "prices_date": settings.prices_date}
        return {"kind": "api", "model": settings.model, **price, **self._facts}


@dataclass
class RunRival:
    """The results of a search of one's own."""

    name: str
    run: runs.RunFile

    def rank(self, task: RetrievalTask) -> Rankings:
        ranked, unknown = runs.rank(self.run, task.ids, task.texts, task.corpus, task.passages)
        empty = int((ranked.sections[:, 0] < 0).sum())
        if unknown:
            note(f"rival {self.name}: {unknown:,} places of {self.run.path} are not in the documents, and are left out")
        if empty:
            note(f"rival {self.name}: {empty:,} of {len(task.texts):,} queries have no results in {self.run.path}")
        return ranked

    def facts(self) -> dict[str, Any]:
        return {"kind": "run"}


def load_rivals(config: RivalsConfig) -> list[Rival]:
    """The rivals of the folder, in the order of its file; nothing is loaded or bought yet.

    Raises UserError that names the file, and what is wrong in it.
    """
    return [load_rival(name, settings, config) for name, settings in read_rivals(Path(config.rivals)).items()]


def load_rival(name: str, settings: Settings, config: RivalsConfig) -> Rival:
    """A rival of `read_rivals`. Raises UserError if what it names is missing, or is something else."""
    place = Path(config.rivals)
    file = place / FILE
    match settings:
        case Folder():
            return ModelRival(name, _model(place, name, settings), config)
        case Base():
            if settings.base not in config.bases:
                raise UserError(
                    f"{file}: {name}: {settings.base} is not a file in conf/model/; available: "
                    f"{', '.join(sorted(config.bases))}"
                )
            return ModelRival(name, config.bases[settings.base], config)
        case Run():
            return RunRival(name, runs.read_run(_beside(place, name, settings.run)))
        case Api():
            return ApiRival(name, EmbeddingsRival(name, settings, VectorLedger(), str(file)))


def apis(rivals: Sequence[Rival]) -> list[ApiRival]:
    """Those that cost money."""
    return [rival for rival in rivals if isinstance(rival, ApiRival)]


def _model(place: Path, name: str, settings: Folder) -> ModelConfig:
    folder = _beside(place, name, settings.folder)
    if not checks.holds_model(folder):
        raise UserError(f"{place / FILE}: {name}: {folder} is not a model folder: copy a whole model there")
    return ModelConfig(
        name=name,
        package=None,
        path=folder.as_posix(),
        revision=None,
        query_prompt=settings.query_prompt,
        passage_prompt=settings.passage_prompt,
        max_tokens=None,
        dimension=None,
        license="unknown",
        language=None,
    )


def _beside(place: Path, name: str, path: str) -> Path:
    """A path inside the rivals' folder. Raises UserError for one outside, where DVC would not notice a change."""
    whole = place / path
    parts = Path(path).parts
    links = [part for part in [whole, *whole.parents][: len(parts)] if part.is_dir() and part.is_symlink()]
    if Path(path).is_absolute() or ".." in parts or links:
        raise UserError(
            f"{place / FILE}: {name}: {path} must be inside {place}, and not by a link, or DVC would not notice its "
            "changes: copy it there"
        )
    return whole
