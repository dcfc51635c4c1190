"""What goes to a language model and what comes back: the only words that judge and providers share."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One message of a chat."""

    role: Role
    content: str


@dataclass(frozen=True)
class Sampling:
    """How an answer is to be drawn. What a model cannot do is dropped, and the answer says so."""

    temperature: float | None = 0.3  # EmoJudge section 2.4
    max_tokens: int = 200
    samples: int = 1  # k answers, for confidence by agreement
    label_logprobs: bool = False  # the answer is one letter: ask for the probabilities of all of them
    seed: int | None = None


@dataclass(frozen=True)
class Request:
    """One question. `key` is the hash of model, messages, schema and sampling: the ledger's key."""

    key: str
    messages: tuple[Message, ...]
    letters: tuple[str, ...]  # the single-letter labels that may be answered, such as ("A", "S", ...)
    schema: dict[str, Any] | None = None  # JSON schema of the answer, for servers that can enforce one
    sampling: Sampling = Sampling()


@dataclass(frozen=True)
class Usage:
    """Tokens that were paid for."""

    prompt: int = 0
    completion: int = 0


@dataclass(frozen=True)
class Answer:
    """What came back for a request: texts, or an error in words. A failed request is an answer too."""

    key: str
    texts: tuple[str, ...] = ()  # as many as samples were drawn
    letter_logprobs: dict[str, float] | None = None  # natural log, over `Request.letters`, renormalised
    finish: str | None = None  # the server's finish_reason of the first text
    model: str = ""  # as the server named it
    fingerprint: str | None = None
    dropped: tuple[str, ...] = ()  # parameters that the model refused or is known not to take
    usage: Usage = Usage()
    error: str | None = None
    transient: bool = False  # of an error: asking again later may help
    received: str = ""  # UTC, ISO 8601
    extra: dict[str, str] = field(default_factory=dict)  # such as the batch that it came in


class Provider(Protocol):
    """A language model that can be asked. Providers of other packages come by entry point."""

    name: str  # as it was asked for: "openai/MODEL", "local:PATH", "echo"
    model: str
    concurrency: int  # requests that may be under way at once

    def ask(self, request: Request) -> Answer:
        """Ask once, with the provider's own retries; never raises for what the server did."""
