"""A provider without a model, for tests and trials: the same request always gets the same answer."""

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

from emojudge.judge.exchange import Answer, Request, Usage
from emojudge.judge.providers.capabilities import FREE, Capabilities
from emojudge.judge.providers.chat import failure, now
from emojudge.judge.providers.settings import Settings

Rule = Callable[[Request], str]


class Echo:
    """Answers by a rule, or by a hash of the request's key, always in the form that its schema asks for.

    >>> from emojudge.judge.exchange import Message
    >>> request = Request("k", (Message("user", "I won!"),), ("A", "S", "H"))
    >>> Echo("echo:H", "H").ask(request).texts
    ('H',)
    """

    def __init__(self, name: str = "echo", choice: str | None = None, rule: Rule | None = None) -> None:
        """`choice` is chosen wherever it may be; `rule` makes the whole text instead, and what it raises is
        the answer's error."""
        self.name = name
        self.model = "echo"
        self.concurrency = 1  # it answers at once: nothing to wait for
        self.capabilities = Capabilities(n=True, price=FREE)
        self._choice = choice
        self._rule = rule

    def ask(self, request: Request) -> Answer:
        try:
            texts = tuple(self._text(request, sample) for sample in range(request.sampling.samples))
        except Exception as error:  # the rule may be anything
            return failure(request.key, f"{type(error).__name__}: {error}", transient=False)
        return Answer(
            key=request.key,
            texts=texts,
            letter_logprobs=self._logprobs(request) if request.sampling.label_logprobs else None,
            finish="stop",
            model=self.model,
            usage=Usage(_tokens(*(m.content for m in request.messages)), _tokens(*texts)),
            received=now(),
        )

    def _text(self, request: Request, sample: int) -> str:
        if self._rule is not None:
            return str(self._rule(request))
        seed = f"{request.key}#{sample}"
        if request.schema is not None:
            return json.dumps(self._instance(request.schema, seed))
        return str(self._pick(list(request.letters), seed))

    def _instance(self, schema: dict[str, Any], seed: str) -> Any:
        """Something that the JSON schema allows."""
        if "enum" in schema:
            return self._pick(schema["enum"], seed)
        if "const" in schema:
            return schema["const"]
        for alternatives in ("anyOf", "oneOf"):
            if alternatives in schema:
                return self._instance(schema[alternatives][0], seed)
        kind = schema.get("type", "string")
        match kind[0] if isinstance(kind, list) else kind:
            case "object":
                properties = schema.get("properties", {})
                return {name: self._instance(part, f"{seed}.{name}") for name, part in properties.items()}
            case "array":
                return [self._instance(schema.get("items", {}), seed)] * schema.get("minItems", 1)
            case "integer" | "number":
                low, high = schema.get("minimum", 0), schema.get("maximum", 1)
                value = high if self._choice is not None else low + _fraction(seed) * (high - low)
                return round(value) if "integer" in kind else value
            case "boolean":
                return _fraction(seed) < 0.5
            case "null":
                return None
        return "echo"

    def _pick(self, options: list[Any], seed: str) -> Any:
        if self._choice in options:
            return self._choice
        return options[int(_fraction(seed) * len(options))]

    def _logprobs(self, request: Request) -> dict[str, float]:
        weights = {
            letter: 10.0 if letter == self._choice else 0.1 + _fraction(f"{request.key}@{letter}")
            for letter in request.letters
        }
        total = sum(weights.values())
        return {letter: math.log(weight / total) for letter, weight in weights.items()}


def _fraction(seed: str) -> float:
    """In [0, 1), by the seed's hash."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6]) / 2**48


def _tokens(*texts: str) -> int:
    """As many as a model might count, about."""
    return sum(map(len, texts)) // 4


def load_echo(option: str, settings: Settings) -> Echo:
    """ "echo", or "echo:CHOICE" such as "echo:H" or "echo:happy"."""
    del settings  # nothing to set
    return Echo(f"echo:{option}" if option else "echo", option or None)
