"""What requests will cost, told before they are sent: tokens and dollars, estimated from above."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from emojudge.judge.exchange import Request
from emojudge.judge.providers.capabilities import Capabilities
from emojudge.judge.providers.chat import calls

MESSAGE_TOKENS = 8  # what a chat template adds to a message
BATCH_RATE = 0.5  # OpenAI's Batch API against the standard rate


@dataclass(frozen=True)
class Cost:
    """The most that requests are likely to need."""

    calls: int  # a request takes several for samples or log-probabilities
    prompt: int  # tokens
    completion: int  # tokens, if every answer were as long as it may be
    dollars: float | None  # None: nobody knows the price
    known: date | None = None  # the day on which the price was known to hold


def estimate(requests: Sequence[Request], capabilities: Capabilities, *, batch: bool = False) -> Cost:
    """The cost of `requests` from above: prompts by their length, answers at `max_tokens`.

    Discounts for cached prompts are not counted, and neither are repeated attempts.

    Args:
        requests: what would be sent.
        capabilities: of the model, as `provider.capabilities` or `capabilities_of` has them.
        batch: by a Batch API, at half the price.
    """
    count = prompt = completion = 0
    for request in requests:
        for call in calls(request, "", capabilities):
            count += 1
            prompt += sum(tokens(message["content"]) + MESSAGE_TOKENS for message in call.body["messages"])
            if "response_format" in call.body:
                prompt += tokens(json.dumps(request.schema))
            answers = call.body.get("n", 1)
            longest = call.tokens + capabilities.thinking
            completion += answers * longest
    price = capabilities.price
    if price is None:
        return Cost(count, prompt, completion, None)
    rate = BATCH_RATE if batch else 1.0
    return Cost(count, prompt, completion, rate * price.dollars(prompt, completion), price.known)


@lru_cache(maxsize=16)  # the system message is the same for all requests of a run
def tokens(text: str) -> int:
    """About how many tokens a text has, rather too many than too few.

    Words of English count a token for every 4 letters, others one for every 2 bytes; figures, signs, and
    spaces before figures, one each. A model that does not know a language needs more.

    >>> tokens("I never said that."), tokens("at 62.5 dB")
    (6, 7)
    """
    pieces = re.findall(r"[A-Za-z]+|\d|\s(?=\d)|\w+|[^\w\s]", text)
    sizes = (len(p) / 4 if p.isascii() else len(p.encode("utf-8", "replace")) / 2 for p in pieces)
    return sum(map(math.ceil, sizes))
