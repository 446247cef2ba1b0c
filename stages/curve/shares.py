"""Parts of the training set, each inside the next larger one."""

import hashlib
from collections.abc import Sequence

SHARES = (0.125, 0.25, 0.5)  # of the training passages; the tuned model is trained on all of them


def nested(passages: Sequence[str], clusters: Sequence[int], seed: int, least: int) -> dict[float, list[int]]:
    """The rows of the training pairs that belong to each of SHARES, in their order.

    `passages` and `clusters` have each pair's passage id and its cluster of copies, which is taken whole. Clusters come
    in the order of the hash of `seed` and their first passage's id, until the share of all passages is reached: so a
    share contains all smaller ones, and more documents leave most of it as it was. A share of fewer than `least`
    passages, or of no fewer than the next larger one, is left out.
    """
    members: dict[int, set[str]] = {}
    for passage, cluster in zip(passages, clusters, strict=True):
        members.setdefault(cluster, set()).add(passage)
    order = sorted(members, key=lambda c: hashlib.sha256(f"{seed}\n{min(members[c])}".encode()).hexdigest())
    total = sum(map(len, members.values()))
    size_of = {}
    for share in SHARES:
        chosen: set[int] = set()
        size = 0
        for cluster in order:
            if size >= share * total:
                break
            chosen.add(cluster)
            size += len(members[cluster])
        size_of[share] = size, chosen
    larger = dict(zip(SHARES, [*(size_of[share][0] for share in SHARES[1:]), total], strict=True))
    return {
        share: [row for row, cluster in enumerate(clusters) if cluster in chosen]
        for share, (size, chosen) in size_of.items()
        if least <= size < larger[share]
    }
