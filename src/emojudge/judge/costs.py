"""What a judge's requests will cost at most, and have cost, in US dollars, where anybody knows."""

from dataclasses import dataclass
from typing import Any

from emojudge.judge.exchange import Provider, Request, Usage
from emojudge.judge.providers.cost import Cost, estimate


@dataclass
class Spending:
    """What asking has cost so far, in US dollars, and what is under way."""

    limit: float | None = None
    spent: float = 0.0
    reserved: float = 0.0

    def allows(self, most: float) -> bool:
        """Whether so much more may be spent, when all that is under way costs what it may."""
        return self.limit is None or self.spent + self.reserved + most <= self.limit


class Prices:
    """The prices of a provider, which need not have any."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def most(self, request: Request) -> Cost | None:
        """The most that a request is likely to need; None of a provider that does not say what it can do."""
        capabilities = self._capabilities
        return None if capabilities is None else estimate([request], capabilities)

    def paid(self, usage: Usage) -> float | None:
        """What was used, in dollars; None: nobody knows."""
        price = getattr(self._capabilities, "price", None)
        return None if price is None else float(price.dollars(usage.prompt, usage.completion))

    @property
    def _capabilities(self) -> Any:
        return getattr(self._provider, "capabilities", None)  # they change with what its server refuses


@dataclass
class Plan:
    """What would be sent: requests, those whose answers the ledger has, and what is left out by the gate."""

    sent: int = 0
    known: int = 0
    passed: int = 0
    prompt: int = 0  # tokens
    completion: int = 0  # tokens, at most
    dollars: float | None = 0.0  # at most; None: nobody knows the price
    first: Request | None = None

    def add(self, cost: Cost | None) -> None:
        """Count what a request that would be sent costs."""
        if cost is None or cost.dollars is None or self.dollars is None:
            self.dollars = None
        else:
            self.dollars += cost.dollars
        if cost is not None:
            self.prompt += cost.prompt
            self.completion += cost.completion
