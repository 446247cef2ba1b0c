"""Passages made by hand: two files, one in a folder, and a record."""

from typing import Any

from fieldtune.corpus.passages import section_hash


def passage(source: str, section: str, text: str, piece: int = 1, document: str = "") -> dict[str, Any]:
    slug = section.lower().replace(" ", "-") + (f"-{piece}" if piece > 1 else "")
    return {
        "id": f"{source}#{slug}",
        "source": source,
        "document": document or source,
        "section": section,
        "title": f"Guide {section}",
        "text": text,
        "section_sha256": section_hash(f"{source} {section}"),
    }


PASSAGES = [
    passage("guide.md", "Copy Image", "Copies an image to another region of the same account."),
    passage("guide.md", "Delete Image", "Removes an image for good.\nIt cannot be brought back."),
    passage("guide.md", "Delete Image", "Snapshots of it stay until they are removed, too.", piece=2),
    passage(
        "more/faq.md",
        "Billing",
        "Every hour that has begun is billed as a whole hour, whether it was used or not, at the end.",
    ),
    passage("more/all.jsonl", "r1", "A record.", document="Record"),
]
