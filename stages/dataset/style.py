"""Real queries that show how people type: their answers are tested with no query, generated or real."""

from collections.abc import Sequence
from dataclasses import replace

from stages.dataset.inputs import Inputs


def style_sections(inputs: Inputs) -> set[int]:
    """The sections that answer a query of the split `style`."""
    return {
        section
        for query, sections in zip(inputs.real, inputs.real_answers, strict=True)
        if query.split == "style"
        for section in sections
    }


def style_apart(inputs: Inputs, cluster_of: Sequence[int]) -> Inputs:
    """The inputs, with queries of test and dev moved to `style` if their answers share a cluster with a style query's.

    `cluster_of` [sections]: sections that contain copies of one another.
    """
    clusters = {cluster_of[section] for section in style_sections(inputs)}
    real = [
        replace(query, split="style")
        if query.split in ("test", "dev") and any(cluster_of[section] in clusters for section in sections)
        else query
        for query, sections in zip(inputs.real, inputs.real_answers, strict=True)
    ]
    return replace(inputs, real=real)
