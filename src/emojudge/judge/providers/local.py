"""A GGUF model in this process, by llama.cpp through xllamacpp (extra `local`): no server, no network."""

import os
import secrets
from pathlib import Path
from typing import Any

from emojudge.errors import MissingExtraError, ProviderError
from emojudge.judge.exchange import Answer, Request
from emojudge.judge.providers.capabilities import FREE, Capabilities
from emojudge.judge.providers.chat import calls, dropped, failure, join, read, refusal
from emojudge.judge.providers.get import find_model
from emojudge.judge.providers.settings import Settings

CANDIDATES = 300  # a small model puts words before some letters, though it was asked for a letter alone
PARALLEL = 2  # requests at once; more of them share the same cores
_MAGIC = b"GGUF"


class Local:
    """A model in this process. Its prompts share what they begin with, as a server's would."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Load the model, which takes seconds to minutes and about as much memory as its file has bytes.

        Raises:
            MissingExtraError: xllamacpp is not installed.
            ProviderError: the file is missing, no GGUF model, or one that llama.cpp cannot load.
        """
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingExtraError("a language model in this process", "local") from error
        self.name = f"local:{path}"
        self.model = path.name
        self.concurrency = settings.concurrency or PARALLEL
        self.capabilities = Capabilities(price=FREE, candidates=CANDIDATES)
        _check(path)
        params: Any = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel = self.concurrency
        params.n_ctx = settings.context * self.concurrency  # llama.cpp divides it
        params.cpuparams.n_threads = settings.threads or _cores()
        params.cache_ram_mib = 0  # each place keeps its last prompt; copies of older ones took up to 8 GB
        params.model_alias = {path.name}
        params.verbosity = -1
        # It listens on a port of its own in any case: on loopback, behind a key that nobody knows.
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [secrets.token_hex(32)]
        params.ui = False
        try:
            self._server = xllamacpp.Server(params)
        except Exception as error:  # RuntimeError, of whatever went wrong in there
            raise ProviderError(
                path,
                found=str(error),
                expected="a GGUF model that llama.cpp can load",
                advice="Is the file complete, and is there memory for it?",
            ) from error

    def ask(self, request: Request) -> Answer:
        parts = [self._call(call.key, call.body) for call in calls(request, self.model, self.capabilities)]
        return join(request, parts, dropped(request, self.capabilities))

    def _call(self, key: str, body: dict[str, Any]) -> Answer:
        try:
            got = self._server.handle_chat_completions(body)
        except Exception as error:  # a prompt, schema or parameter that llama.cpp cannot take
            return failure(key, str(error), transient=False)
        if isinstance(got, dict) and isinstance(problem := got.get("error"), dict):
            status = problem.get("code")
            return refusal(key, status if isinstance(status, int) else None, got)
        return read(key, got)


def _cores() -> int:
    """Cores that this process may use; llama.cpp's threads wait for one another, so more would slow it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ProviderError(path, found=error.strerror or str(error), expected="a GGUF file") from error
    if magic != _MAGIC:
        raise ProviderError(path, found="no GGUF file", expected="a model in GGUF, such as model.Q4_K_M.gguf")


def load_local(option: str, settings: Settings) -> Local:
    """ "local:PATH", or "local:NAME" of a model that `get_model` fetched.

    Raises:
        ProviderError: no such file or model.
    """
    if not option:
        raise ProviderError("local", found="no model", expected="local:PATH or local:smollm2")
    return Local(find_model(option) or Path(option).expanduser(), settings)
