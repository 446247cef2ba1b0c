"""Two retrieval sets of further domains, made from snapshots of public repositories: for checks, not for choices.

`python -m benchmarks.kept_aside.<set> <git directory> <out folder>` writes one as `benchmarks.domains` reads it. Each
module says what counts as passage, query and relevant, and under which licence. The texts stay out of this repository.
"""
