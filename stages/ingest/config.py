"""Settings of the stage `ingest`."""

from dataclasses import dataclass

from omegaconf import MISSING

from fieldtune.runtime.settings import any_words, between


@dataclass
class FieldsConfig:
    """The fields of passages that are cut already: JSON, JSONL, Parquet, Arrow, tables; nested as `data[].body`."""

    id: str = MISSING  # the field with a record's id, which answers of queries may name; a path if nested: `data[].id`
    title: str = MISSING  # the field with its title
    text: str = MISSING  # the field with its text


@dataclass
class BoilerplateConfig:
    """Limits for text that repeats over files, such as navigation: it is dropped if so many of them have it."""

    share: float = between(0.01, 1.0)  # of the files
    files: int = between(2, 1_000_000)  # and at least so many: in few files a repetition may be meant


@dataclass
class IngestConfig:
    documents: str = MISSING  # the folder, `documents:` of params.yaml
    include: list[str] = MISSING  # globs below it; of the files that match, those of a known format are read
    exclude: list[str] = any_words()  # noqa: RUF009 (it is a dataclasses.field): globs of files that are not read
    strict: bool = MISSING  # a file that cannot be read is an error; otherwise it is listed in the report
    # Tokens of one passage, title and special tokens included. 256 is what all-MiniLM-L6-v2 reads; longer
    # passages blur what they are about.
    max_tokens: int = between(16, 8192)
    overlap: int = between(0, 1024)  # tokens of whole sentences that a piece of a section repeats of the piece before
    # The tokenizer that counts, whatever the model: a new cut would buy new queries. `package/file`.
    tokenizer: str = MISSING
    # Of one file, unpacked: an archive of more is named as unreadable before memory is gone.
    max_megabytes: float = between(0.001, 100_000)
    fields: FieldsConfig = MISSING
    boilerplate: BoilerplateConfig = MISSING
