"""All providers by name.

To add one: a class here, its traits in fieldtune/corpus/providers.py, and a file of conf/generator/ that names it.
"""

from stages.generate.bought import Claude, ClaudeBatch, Local
from stages.generate.keyphrases import Keyphrases
from stages.generate.pairs import Pairs, Recorded, RecordedStyled
from stages.generate.provider import Provider

PROVIDERS: dict[str, type[Provider]] = {
    provider.name: provider for provider in (Recorded, RecordedStyled, Pairs, Keyphrases, Claude, ClaudeBatch, Local)
}
