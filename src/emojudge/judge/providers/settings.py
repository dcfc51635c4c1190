"""How to reach a language model: what is the same for every provider."""

import os
from dataclasses import dataclass
from pathlib import Path

from emojudge.errors import ProviderError
from emojudge.judge.providers.capabilities import Price

KEY_FILE, KEY = "EMOJUDGE_API_KEY_FILE", "EMOJUDGE_API_KEY"


@dataclass(frozen=True)
class Settings:
    """What may be set beside the model's name. Keys are not among it: they come from the environment."""

    timeout: float = 120.0  # seconds for one attempt, its whole body included
    retries: int = 5  # after the first attempt, on 429, 5xx, timeouts and lost connections
    concurrency: int | None = None  # requests under way at once; None: what suits the provider
    price: Price | None = None  # where the table has none, or an old one
    context: int = 4_096  # tokens that a model in this process sees of one request
    threads: int | None = None  # of a model in this process; None: one for each core


class Secret:
    """A key, which no repr, log or traceback shows.

    >>> Secret("sk-123")
    Secret('…')
    """

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret('…')"

    def reveal(self) -> str:
        return self._value

    def redact(self, text: str) -> str:
        """The text without the key, should a server have echoed it."""
        return text.replace(self._value, "…") if len(self._value) > 3 else text


def find_key(*variables: str) -> Secret | None:
    """The key from `EMOJUDGE_API_KEY_FILE`, `EMOJUDGE_API_KEY` or the first of `variables` that is set.

    Raises:
        ProviderError: the file cannot be read or is empty.
    """
    if path := os.environ.get(KEY_FILE):
        try:
            value = Path(path).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ProviderError(KEY_FILE, found=_reason(error), expected="a readable file") from None
        if not value or len(value.split()) > 1 or not value.isascii():
            raise ProviderError(KEY_FILE, found="something else", expected="a file with the key alone")
        return Secret(value)
    for variable in (KEY, *variables):
        if value := os.environ.get(variable, "").strip():
            return Secret(value)
    return None


def _reason(error: Exception) -> str:
    return error.strerror or "an error" if isinstance(error, OSError) else "bytes that are no text"
