"""Chat Completions, the one format that every server has: requests to bodies, what came back to answers.

Nothing here raises for what a server sent: whatever is not an answer becomes an answer with an error.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from emojudge.judge.exchange import Answer, Request, Usage
from emojudge.judge.providers.capabilities import PARAMETERS, Capabilities

TEXTS = "#texts"  # what a call's key ends with if it draws several samples; else "#0", "#1" …
LONGEST_ERROR = 400  # characters that are kept of a server's complaint


@dataclass(frozen=True)
class Call:
    """One HTTP request. A `Request` takes several where a call draws one sample: parts of an answer."""

    key: str  # the request's, "#", and which part of its answer this is
    body: dict[str, Any] = field(hash=False)
    tokens: int = 0  # of one answer at most, reasoning not counted


def calls(request: Request, model: str, capabilities: Capabilities) -> list[Call]:
    """What to send for a request to a model that can do so much.

    Of a letter whose probability is asked for, one token is drawn: what would come after it is never read.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
    }
    if capabilities.effort is not None:
        body["reasoning_effort"] = capabilities.effort
    letters = sampling.label_logprobs and capabilities.logprobs
    longest = 1 if letters else sampling.max_tokens
    asked = dict(body, **_limit(longest, capabilities))
    if letters:
        asked |= {"logprobs": True, "top_logprobs": capabilities.candidates}
    if capabilities.temperature and sampling.temperature is not None:
        asked["temperature"] = sampling.temperature
    if capabilities.schema and request.schema is not None:
        schema = {"name": "answer", "strict": True, "schema": request.schema}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    several = sampling.samples > 1 and not capabilities.n
    planned = []
    for sample in range(sampling.samples if several else 1):
        part = dict(asked)
        if capabilities.seed and sampling.seed is not None:
            part["seed"] = sampling.seed + sample
        if sampling.samples > 1 and capabilities.n:
            part["n"] = sampling.samples
        name = TEXTS if "n" in part else f"#{sample}"
        planned.append(Call(request.key + name, part, longest))
    return planned


def _limit(tokens: int, capabilities: Capabilities) -> dict[str, int]:
    return {capabilities.limit: tokens + capabilities.thinking} if capabilities.limit else {}


def dropped(request: Request, capabilities: Capabilities) -> tuple[str, ...]:
    """What the request wants and the model does not take, by the parameter's name."""
    sampling = request.sampling
    missing = {
        "temperature": sampling.temperature is not None and not capabilities.temperature,
        "seed": sampling.seed is not None and not capabilities.seed,
        "response_format": request.schema is not None and not capabilities.schema,
        "logprobs": sampling.label_logprobs and not capabilities.logprobs,
        "max_tokens": capabilities.limit is None,
        "reasoning_effort": "reasoning_effort" in capabilities.refused,
    }
    return tuple(name for name, lost in missing.items() if lost)


def read(key: str, body: object, **extra: str) -> Answer:
    """The answer in the body of a chat completion.

    Its `letter_logprobs`, if any, are those of all tokens that came; `join` picks the letters.
    """
    if not isinstance(body, dict):
        return failure(key, f"{_name(body)} instead of a chat completion", transient=True, **extra)
    if body.get("error") and not body.get("choices"):
        return refusal(key, None, body, **extra)
    choices = [choice for choice in _list(body.get("choices")) if isinstance(choice, dict)]
    texts, finish, refused = [], None, None
    for choice in choices:
        message = choice.get("message")
        text = _text(message)
        if text is None:
            refused = refused or _string(message.get("refusal") if isinstance(message, dict) else None)
            continue
        texts.append(text)
        finish = finish or _string(choice.get("finish_reason"))
    usage = body.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    answer = Answer(
        key=key,
        texts=tuple(texts),
        letter_logprobs=_token_logprobs(choices[0].get("logprobs")) if choices else None,
        finish=finish,
        model=_string(body.get("model")) or "",
        fingerprint=_string(body.get("system_fingerprint")),
        usage=Usage(_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens"))),
        received=now(),
        extra=extra,
    )
    if texts:
        return answer
    if refused:
        return replace(answer, error=_short(f"the model refused: {refused}"))
    return replace(answer, error="a chat completion without any text", transient=True)


def _text(message: object) -> str | None:
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    if isinstance(content, list):  # some servers send parts
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str)) if parts else None
    if content is None and _string(message.get("reasoning_content")):
        return ""  # it thought until its tokens were gone
    return _string(content)


def _token_logprobs(logprobs: object) -> dict[str, float] | None:
    """Natural log-probabilities of the first token's candidates, equal ones ("A" and " A") added."""
    content = _list(logprobs.get("content")) if isinstance(logprobs, dict) else []
    first = content[0] if content and isinstance(content[0], dict) else {}
    found: dict[str, float] = {}
    for candidate in _list(first.get("top_logprobs")):
        if not isinstance(candidate, dict):
            continue
        token, value = _string(candidate.get("token")), candidate.get("logprob")
        if not token or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if math.isfinite(value) and value < 1e-3:  # rounding may lift a certain one above 0
            name = token.strip()
            total = math.exp(min(value, 0.0)) + (math.exp(found[name]) if name in found else 0.0)
            if total > 0:
                found[name] = math.log(total)
    return found or None


def join(request: Request, parts: Sequence[Answer], lost: tuple[str, ...] = ()) -> Answer:
    """One answer from those to a request's calls; what came is kept, what did not come is said in `extra`."""
    good = [part for part in parts if not part.error]
    bad = [part for part in parts if part.error]
    extra = {name: value for part in parts for name, value in part.extra.items()}
    if bad and good:
        extra["samples"] = f"{len(bad)} of {len(parts)} calls failed: {bad[0].error}"
    chosen = good[0] if good else bad[0] if bad else failure(request.key, "no answer", transient=True)
    return replace(
        chosen,
        key=request.key,
        texts=tuple(text for part in good for text in part.texts),
        letter_logprobs=renormalise(chosen.letter_logprobs, request.letters),
        dropped=lost,
        usage=Usage(sum(p.usage.prompt for p in parts), sum(p.usage.completion for p in parts)),
        extra=extra,
    )


def renormalise(logprobs: dict[str, float] | None, letters: Sequence[str]) -> dict[str, float] | None:
    """Natural logs over the letters alone, their probabilities summing to 1.

    A letter that was not among the server's most likely tokens is absent; without any letter, None.

    >>> renormalise({"A": -2.0, "S": -2.0, "The": -0.3}, ("A", "S", "H"))
    {'A': -0.6931471805599454, 'S': -0.6931471805599454}
    """
    found = {letter: logprobs[letter] for letter in letters if letter in logprobs} if logprobs else {}
    if not found:
        return None
    highest = max(found.values())
    total = highest + math.log(sum(math.exp(value - highest) for value in found.values()))
    return {letter: value - total for letter, value in found.items()}


# ---------------------------------------------------------------------------------------------------- errors


def failure(key: str, error: str, *, transient: bool, **extra: str) -> Answer:
    """An answer that is an error."""
    return Answer(key=key, error=_short(error), transient=transient, received=now(), extra=extra)


def refusal(key: str, status: int | None, body: object, **extra: str) -> Answer:
    """The answer for an error that a server sent, in whatever form, with its HTTP status if that is known.

    `extra` gets the status, and under "refused" the parameter that the model does not take, if it is that.
    """
    error = complaint(body)
    if status is None and (match := re.search(r"Error code: (\d{3})", error)):
        status = int(match[1])  # a server in front of another
    said = f"HTTP {status}: {error}" if status is not None else error
    if status is not None:
        extra["status"] = str(status)
    if parameter := refused_parameter(status, body):
        extra["refused"] = parameter
    code = _field(body, "code") or ""
    passing = status in (408, 409, 425, 429) or (status is not None and status >= 500)
    passing = passing or code in ("batch_expired", "batch_cancelled", "request_timeout")
    if status is None:  # of a server in front of another that it could not reach
        passing = passing or re.search(r"connection error|timed? ?out", error, re.IGNORECASE) is not None
    return failure(key, said, transient=passing and code != "insufficient_quota", **extra)


def complaint(body: object) -> str:
    """What a server's error says, whatever its shape.

    >>> complaint({"error": {"error": {"message": "no such model"}}})
    'no such model'
    >>> complaint("<html><title>502 Bad Gateway</title></html>")
    'an HTML page (502 Bad Gateway)'
    """
    if isinstance(body, str) and re.match(r"\s*<(!doctype|html)", body, re.IGNORECASE):
        title = re.search(r"<title>(.*?)</title>", body, re.IGNORECASE | re.DOTALL)
        return f"an HTML page ({title[1].strip()})" if title else "an HTML page"
    if isinstance(body, str):
        return body.strip() or "nothing"
    if message := _field(body, "message"):
        return message
    try:
        return json.dumps(body, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return _name(body)


def _field(body: object, name: str) -> str | None:
    """A field of an error, which lies in `error`, in `error.error`, or at the top; FastAPI has `detail`."""
    for _ in range(3):
        if not isinstance(body, dict):
            break
        if (value := _string(body.get(name))) or (
            name == "message" and (value := _string(body.get("detail")))
        ):
            return value
        body = body.get("error")
    return _string(body) if name == "message" else None


_REFUSES = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|not permitted|extra input|not allowed|unexpected|"
    r"field '",
    re.IGNORECASE,
)


def refused_parameter(status: int | None, body: object) -> str | None:
    """The parameter that a server does not take, if that is its complaint.

    >>> refused_parameter(400, {"error": {"code": "unsupported_parameter", "param": "temperature"}})
    'temperature'
    """
    if status not in (400, 422):
        return None
    words = complaint(body)
    code, parameter = _field(body, "code") or "", _field(body, "param") or ""
    if parameter in PARAMETERS and (code.startswith("unsupported") or _REFUSES.search(words)):
        return parameter
    if not (code.startswith("unsupported") or _REFUSES.search(words)):
        return None
    quoted = re.findall(r"['\"`]([a-z_]+)['\"`]", words)  # the first is meant: "use 'max_completion_tokens'"
    named = [word for word in quoted if word in PARAMETERS]
    named += [word for word in PARAMETERS if len(word) > 1 and re.search(rf"\b{word}\b", words)]
    return named[0] if named else None


def now() -> str:
    """The time as answers have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _short(error: str) -> str:
    text = clean(" ".join(error.split())) or "an error without a word"
    return text if len(text) <= LONGEST_ERROR else text[: LONGEST_ERROR - 2] + " …"


def clean(text: str) -> str:
    """The text without lone surrogates, which nothing could store."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _string(value: object) -> str | None:
    return clean(value) if isinstance(value, str) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0


def _name(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
