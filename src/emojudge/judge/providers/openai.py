"""OpenAI, Azure OpenAI and every server with Chat Completions, by the OpenAI SDK (extra `judge`)."""

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from threading import BoundedSemaphore
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from emojudge.errors import MissingExtraError, ProviderError
from emojudge.judge.exchange import Answer, Request
from emojudge.judge.providers.capabilities import capabilities_of
from emojudge.judge.providers.chat import Call, calls, dropped, failure, join, read, refusal
from emojudge.judge.providers.settings import Secret, Settings, find_key

LONGEST_BODY = 8 * 2**20  # bytes; a longer answer is an attack or a mistake
BROKEN_TRIES = 2  # more attempts after a body that broke off or was none
HOSTED, SERVED = 8, 4  # requests at once to OpenAI or Azure, and to a server of one's own

log = logging.getLogger(__name__)


class Chat:
    """A model behind Chat Completions. Answers whatever happens; learns which parameters it refuses."""

    def __init__(
        self, name: str, model: str, client: Any, secret: Secret, settings: Settings, concurrency: int
    ) -> None:
        self.name = name
        self.model = model
        self.concurrency = settings.concurrency or concurrency
        self.capabilities = capabilities_of(model)
        if settings.price is not None:
            self.capabilities = replace(self.capabilities, price=settings.price)
        self.client = client
        self._secret = secret
        self._timeout = settings.timeout
        self._places = BoundedSemaphore(self.concurrency)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def ask(self, request: Request) -> Answer:
        """Ask once, with retries; never raises for what the server did."""
        done: dict[str, Answer] = {}
        while True:
            capabilities = self.capabilities
            planned = calls(request, self.model, capabilities)
            for call in planned:
                if call.key not in done:
                    done[call.key] = self._call(call)
                    if self.learn(done[call.key], capabilities.refused):
                        del done[call.key]
                        break
            else:
                return join(request, [done[call.key] for call in planned], dropped(request, capabilities))

    def learn(self, answer: Answer, refused: tuple[str, ...]) -> bool:
        """Whether the answer was that a parameter is not taken: it will not be sent again.

        Args:
            answer: to one call.
            refused: the parameters that were already left out of that call; one of them is no news.
        """
        parameter = answer.extra.get("refused")
        if parameter is None or parameter in refused:
            return False
        self.leave_out(parameter)
        return True

    def leave_out(self, *parameters: str) -> None:
        """Send these parameters no more."""
        for parameter in parameters:
            if parameter not in self.capabilities.refused:
                log.info("%s does not take %s: not sent from now on", self.name, parameter)
                self.capabilities = self.capabilities.without(parameter)

    def redact(self, answer: Answer) -> Answer:
        """The answer without the key, should the server have sent it back."""
        if answer.error is None:
            return answer
        return replace(answer, error=self._secret.redact(answer.error))

    def _call(self, call: Call) -> Answer:
        with self._places:
            answer = self._attempt(call)
            for _ in range(BROKEN_TRIES):  # the SDK has retried what never began; this one broke off
                if "broken" not in answer.extra:
                    break
                answer = self._attempt(call)
        return self.redact(self._explain(answer))

    def _attempt(self, call: Call) -> Answer:
        openai = sdk()
        body = dict(call.body)
        try:
            with self.client.chat.completions.with_streaming_response.create(
                model=body.pop("model"), messages=body.pop("messages"), extra_body=body
            ) as response:
                text = self._whole(response)
        except openai.APIStatusError as error:
            return refusal(call.key, error.status_code, error.body)
        except openai.APITimeoutError:
            return failure(call.key, f"no answer within {self._timeout:g} s", transient=True)
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            return failure(call.key, f"no connection: {cause}", transient=True)
        except Exception as error:  # of the SDK, the HTTP library below it, or the body's decoding
            said = str(error) or type(error).__name__
            return failure(call.key, f"the answer broke off: {said}", transient=True, broken="yes")
        try:
            return read(call.key, json.loads(text))
        except (ValueError, RecursionError):
            answer = refusal(call.key, None, text.decode("utf-8", "replace") or "nothing")
            said = f"{answer.error} instead of JSON"
            return failure(call.key, said, transient=True, broken="yes")

    def _whole(self, response: Any) -> bytes:
        """The body; a server that sends a byte now and then must not hold us for ever."""
        end, body = time.monotonic() + self._timeout, bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > LONGEST_BODY:
                raise ValueError(f"it has more than {LONGEST_BODY} bytes")
            if time.monotonic() > end:
                raise TimeoutError(f"it was not complete after {self._timeout:g} s")
        return bytes(body)

    def _explain(self, answer: Answer) -> Answer:
        shutdown = self.capabilities.shutdown
        if answer.extra.get("status") == "404" and shutdown is not None and shutdown <= date.today():
            return replace(answer, error=f"{answer.error} ({self.model} was to be shut down on {shutdown})")
        return answer


def sdk() -> ModuleType:
    """The OpenAI SDK.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import openai
    except ImportError as error:
        raise MissingExtraError("language models by API", "judge") from error
    return openai


def load_openai(model: str, settings: Settings) -> Chat:
    """ "openai/MODEL": OpenAI itself, or the server in `OPENAI_BASE_URL`.

    Raises:
        ProviderError: no key is set.
    """
    secret = find_key("OPENAI_API_KEY")
    if secret is None:
        raise _no_key("OPENAI_API_KEY")
    chat = Chat(f"openai/{model}", model, _client(secret, settings), secret, settings, HOSTED)
    shutdown = chat.capabilities.shutdown
    if shutdown is not None and shutdown <= date.today():
        log.warning("%s: OpenAI announced to shut it down on %s", model, shutdown)
    return chat


def load_azure(deployment: str, settings: Settings) -> Chat:
    """ "azure/DEPLOYMENT" at `AZURE_OPENAI_ENDPOINT`; with `OPENAI_API_VERSION`, by that version's URLs.

    Raises:
        ProviderError: no endpoint or no key is set.
    """
    endpoint = os.environ.get("AZURE_OPENAI_ENDPOINT", "").rstrip("/")
    if not endpoint:
        raise ProviderError(
            "AZURE_OPENAI_ENDPOINT", found="nothing", expected="https://RESOURCE.openai.azure.com"
        )
    secret = find_key("AZURE_OPENAI_API_KEY")
    if secret is None:
        raise _no_key("AZURE_OPENAI_API_KEY")
    if version := os.environ.get("OPENAI_API_VERSION"):
        with _readable(endpoint):
            client = sdk().AzureOpenAI(
                azure_endpoint=endpoint, api_version=version, api_key=secret.reveal(), **_patience(settings)
            )
    else:
        client = _client(secret, settings, f"{endpoint}/openai/v1")
    return Chat(f"azure/{deployment}", deployment, client, secret, settings, HOSTED)


def load_url(name: str, settings: Settings) -> Chat:
    """ "http://HOST:PORT/v1#MODEL": any server with Chat Completions; without #MODEL, the only one it has.

    `OPENAI_API_KEY` is not sent there: it is for OpenAI. `EMOJUDGE_API_KEY` is, if set.

    Raises:
        ProviderError: not a URL, or no model named and none or several served.
    """
    url, _, model = name.partition("#")
    with _readable(url):
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and not (parts.username or parts.password)
    if not usable:
        raise ProviderError(
            "provider",
            found="a URL without a host, or with a password in it",
            expected="http://HOST:PORT/v1#MODEL",
            advice="Put a key into EMOJUDGE_API_KEY.",
        )
    secret = find_key() or Secret("none")  # the SDK wants one
    client = _client(secret, settings, url.rstrip("/"))
    if not model:
        model = _only_model(url, client, secret)
    return Chat(f"{url}#{model}", model, client, secret, settings, SERVED)


def _only_model(url: str, client: Any, secret: Secret) -> str:
    advice = "Name the model: URL#MODEL."
    try:
        served = [str(model.id) for model in client.models.list().data]
    except Exception as error:  # whatever the server sent, or none
        said = secret.redact(str(error))
        raise ProviderError(
            url, found=said, expected="a server that lists its models", advice=advice
        ) from None
    if len(served) != 1:
        found = ", ".join(served[:10]) or "no model"
        raise ProviderError(url, found=found, expected="one model", advice=advice)
    return served[0]


def _client(secret: Secret, settings: Settings, url: str | None = None) -> Any:
    with _readable(url or "OPENAI_BASE_URL"):
        return sdk().OpenAI(api_key=secret.reveal(), base_url=url, **_patience(settings))


def _patience(settings: Settings) -> dict[str, Any]:
    return {"timeout": settings.timeout, "max_retries": settings.retries}


@contextmanager
def _readable(url: str) -> Iterator[None]:
    try:
        yield
    except MissingExtraError:
        raise
    except Exception as error:  # ValueError, or InvalidURL of whichever HTTP library the SDK has
        raise ProviderError("provider", found=f"the URL {url!r}: {error}", expected="a URL") from None


def _no_key(variable: str) -> ProviderError:
    return ProviderError(
        variable,
        found="no key",
        expected="one in the environment",
        advice=f"Set {variable} or EMOJUDGE_API_KEY, or EMOJUDGE_API_KEY_FILE to a file with the key alone.",
    )
