"""Dollars and tokens. Amounts are whole nanodollars, so that sums are exact."""

import math
from dataclasses import dataclass

USD = 1_000_000_000
CHARACTERS_PER_TOKEN = 4  # of English text, as a rule of thumb


def usd(amount: int) -> str:
    """Dollars, with more digits where they are few."""
    return f"${amount / USD:,.{2 if amount >= USD else 4}f}"


@dataclass(frozen=True)
class Price:
    """Nanodollars per token."""

    input: float
    output: float

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Nanodollars, rounded up."""
        return math.ceil(round(input_tokens * self.input + output_tokens * self.output, 3))


FREE = Price(0, 0)
