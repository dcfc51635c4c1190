"""What each language model takes, what it costs, until when it is served: a table, and what is learned.

Models differ in what they refuse: those that reason refuse a temperature and log-probabilities unless their
reasoning is turned off, older ones know no JSON schema. The table says it beforehand; what it does not know
is found out when a server refuses a parameter (`Capabilities.without`).
"""

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens, at the standard rate, and the day on which they were known to hold."""

    prompt: float
    completion: float
    known: date

    def dollars(self, prompt: float, completion: float) -> float:
        """What so many tokens cost.

        >>> Price(2.0, 8.0, date(2026, 6, 4)).dollars(1_000_000, 500_000)
        6.0
        """
        return (prompt * self.prompt + completion * self.completion) / 1e6


FREE = Price(0.0, 0.0, date.min)  # of models that run here


@dataclass(frozen=True)
class Capabilities:
    """What may be sent to a model. The defaults fit servers of open models: vLLM, llama.cpp, Ollama …"""

    temperature: bool = True
    logprobs: bool = True
    candidates: int = 20  # of a token, whose probabilities are told at most; a letter beyond them is unlikely
    schema: bool = True  # `response_format` with a JSON schema
    seed: bool = True
    n: bool = False  # several samples by one call; else by several calls, which every server can
    limit: Literal["max_tokens", "max_completion_tokens"] | None = "max_tokens"
    effort: str | None = None  # `reasoning_effort` to ask for: the least that the model has
    thinking: int = 0  # tokens allowed for reasoning, on top of those of the answer
    price: Price | None = None
    shutdown: date | None = None  # as announced
    refused: tuple[str, ...] = ()  # learned: parameters that the server refused

    def without(self, parameter: str) -> "Capabilities":
        """The same after the server refused a parameter of this name.

        >>> Capabilities().without("temperature").temperature
        False
        >>> Capabilities().without("max_tokens").limit
        'max_completion_tokens'
        """
        changes: dict[str, object] = {"refused": (*self.refused, parameter)}
        if parameter == "max_tokens" and "max_completion_tokens" not in self.refused:
            changes["limit"] = "max_completion_tokens"
        elif parameter == "max_completion_tokens" and "max_tokens" not in self.refused:
            changes["limit"] = "max_tokens"
        elif parameter in ("max_tokens", "max_completion_tokens"):
            changes["limit"] = None
        elif parameter in ("logprobs", "top_logprobs"):
            changes["logprobs"] = False
        elif parameter == "response_format":
            changes["schema"] = False
        elif parameter == "reasoning_effort":
            changes["effort"] = None
        elif parameter in ("temperature", "seed", "n"):
            changes[parameter] = False
        return replace(self, **changes)  # type: ignore[arg-type]


PARAMETERS = (  # what `without` knows, longest first: a refusal may name it in a sentence only
    "max_completion_tokens",
    "reasoning_effort",
    "response_format",
    "top_logprobs",
    "temperature",
    "max_tokens",
    "logprobs",
    "seed",
    "n",
)

_CHAT = Capabilities(n=True)
_QUIET = Capabilities(n=True, limit="max_completion_tokens", effort="none")  # reasoning can be turned off
_THINKER = Capabilities(  # it cannot
    temperature=False, logprobs=False, seed=False, limit="max_completion_tokens", effort="low", thinking=4_000
)

# The first pattern that matches the whole name without its date counts. Reasoning effort "none", and that it
# brings temperature and logprobs back, since GPT-5.1; GPT-6.2 refuses "none" and "minimal" again.
_FAMILIES: tuple[tuple[str, Capabilities], ...] = (
    (r"gpt-6\.2-.*", _THINKER),
    (r"gpt-(5\.[1-9]|6)[\w.-]*-pro|gpt-5-pro|o\d-pro", replace(_THINKER, effort="high", thinking=16_000)),
    (r"gpt-5(\.\d)?-chat-latest", replace(_CHAT, limit="max_completion_tokens")),
    (r"gpt-(5\.[1-9]|6(\.[01])?)(-.*)?", _QUIET),
    (r"gpt-5(-mini|-nano|-codex)?", replace(_THINKER, effort="minimal")),
    (r"o\d(-.*)?", _THINKER),
    (r"gpt-4\.1(-.*)?|gpt-4o(-.*)?|chatgpt-4o-latest", _CHAT),
    (r"gpt-4(-.*)?|gpt-3\.5-.*", replace(_CHAT, schema=False)),
)

_JUNE = date(2026, 6, 4)  # GPT-5.5 and older: models.dev's table, and articles of that day that cite OpenAI's
_PRICES = {
    "gpt-6.2-astra": Price(8.0, 40.0, date(2026, 11, 18)),
    "gpt-6.2-sol": Price(2.0, 10.0, date(2026, 11, 18)),
    "gpt-6.1-terra": Price(1.0, 5.0, date(2026, 10, 26)),
    "gpt-6.1-sol": Price(2.0, 10.0, date(2026, 9, 30)),
    "gpt-6-astra": Price(10.0, 50.0, date(2026, 9, 3)),
    "gpt-6-sol": Price(2.0, 10.0, date(2026, 9, 22)),
    "gpt-6-luna": Price(0.1, 0.5, date(2026, 9, 22)),
    "gpt-5.6-sol": Price(5.0, 30.0, date(2026, 8, 1)),  # without the promotion until November
    "gpt-5.6-terra": Price(2.0, 12.0, date(2026, 8, 1)),
    "gpt-5.6-luna": Price(0.2, 1.2, date(2026, 8, 1)),
    "gpt-5.5-pro": Price(30.0, 180.0, _JUNE),
    "gpt-5.5": Price(5.0, 30.0, _JUNE),
    "gpt-5.4": Price(2.5, 15.0, _JUNE),
    "gpt-5.4-mini": Price(0.75, 4.5, _JUNE),
    "gpt-5.4-nano": Price(0.2, 1.25, _JUNE),
    "gpt-5.2": Price(1.75, 14.0, _JUNE),
    "gpt-5.1": Price(1.25, 10.0, _JUNE),
    "gpt-5": Price(1.25, 10.0, _JUNE),
    "gpt-5-mini": Price(0.25, 2.0, _JUNE),
    "gpt-5-nano": Price(0.05, 0.4, _JUNE),
    "gpt-4.1": Price(2.0, 8.0, _JUNE),
    "gpt-4.1-mini": Price(0.4, 1.6, _JUNE),
    "gpt-4.1-nano": Price(0.1, 0.4, _JUNE),
    "gpt-4o": Price(2.5, 10.0, _JUNE),
    "gpt-4o-2024-05-13": Price(5.0, 15.0, _JUNE),
    "gpt-4o-mini": Price(0.15, 0.6, _JUNE),
    "gpt-4-turbo": Price(10.0, 30.0, _JUNE),
    "gpt-4": Price(30.0, 60.0, _JUNE),
    "gpt-3.5-turbo": Price(0.5, 1.5, _JUNE),
    "o1": Price(15.0, 60.0, _JUNE),
    "o3": Price(2.0, 8.0, _JUNE),
    "o3-mini": Price(1.1, 4.4, _JUNE),
    "o4-mini": Price(1.1, 4.4, _JUNE),
}

# As the OpenAI SDK 3.57.0 announces them (openai/types/shared/chat_model.py).
_SHUTDOWNS: dict[date, str] = {
    date(2026, 3, 26): "gpt-4-0125-preview gpt-4-turbo-preview gpt-4-0314",
    date(2026, 7, 23): "gpt-5.1-chat-latest gpt-5-chat-latest",
    date(2026, 8, 10): "gpt-5.3-chat-latest gpt-5.2-chat-latest",
    date(2026, 9, 28): "gpt-3.5-turbo-1106",
    date(
        2026, 10, 23
    ): "gpt-4.1-nano o4-mini o3-mini o1 gpt-4o-2024-05-13 gpt-4-turbo gpt-4-1106-preview gpt-4 "
    "gpt-4-0613 gpt-3.5-turbo gpt-3.5-turbo-0125",
    date(2026, 12, 11): "gpt-5 gpt-5-mini gpt-5-nano o3",
    date(2027, 1, 14): "gpt-4.1 gpt-4.1-mini gpt-4o gpt-4o-mini",
    date(2027, 4, 1): "gpt-5.4-nano gpt-5.1",
}
_SHUTDOWN = {model: day for day, models in _SHUTDOWNS.items() for model in models.split()}

_DATED = re.compile(r"-20\d\d-\d\d-\d\d$")
_TUNED = re.compile(r"ft:([^:]+):.*")  # a fine-tuned model: its base does what it does, at another price


def capabilities_of(model: str) -> Capabilities:
    """What the table knows of a model by its name; of an unknown one, what open models' servers can do.

    >>> capabilities_of("gpt-4o-2024-08-06").price == capabilities_of("gpt-4o").price
    True
    >>> capabilities_of("o3-mini").temperature, capabilities_of("gpt-6-luna").effort
    (False, 'none')
    >>> capabilities_of("gpt-4").shutdown
    datetime.date(2026, 10, 23)
    """
    tuned = _TUNED.fullmatch(model)
    name = tuned[1] if tuned else model
    alias = _DATED.sub("", name)
    for pattern, found in _FAMILIES:
        if re.fullmatch(pattern, alias):
            price = None if tuned else _PRICES.get(name, _PRICES.get(alias))
            return replace(found, price=price, shutdown=_SHUTDOWN.get(name, _SHUTDOWN.get(alias)))
    return Capabilities()
