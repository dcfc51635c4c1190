"""Language models to ask, by name: ours, and those of other packages.

- "openai/MODEL" and "azure/DEPLOYMENT": keys and endpoints come from the environment.
- "http://HOST:PORT/v1#MODEL": any server with Chat Completions, such as vLLM, llama.cpp, Ollama, LM Studio.
- "local:PATH": a GGUF file in this process; "local:smollm2" after `emojudge judge get smollm2`.
- "echo", "echo:H": no model, for tests and trials.

Another package adds a provider by an entry point in the group `emojudge.providers`. Its object is a function
`load(option: str, settings: Settings) -> Provider`, called with what follows "NAME:" or "NAME/". A name of
ours cannot be taken over.
"""

import re
from collections.abc import Callable

from emojudge import plugins
from emojudge.errors import ProviderError
from emojudge.judge.exchange import Provider
from emojudge.judge.providers.echo import load_echo
from emojudge.judge.providers.local import load_local
from emojudge.judge.providers.openai import load_azure, load_openai, load_url
from emojudge.judge.providers.settings import Settings

__all__ = ["ENTRY_POINTS", "Settings", "load_provider", "provider_names"]

Loader = Callable[[str, Settings], Provider]

ENTRY_POINTS = "emojudge.providers"
_LOADERS: dict[str, Loader] = {
    "azure": load_azure,
    "echo": load_echo,
    "local": load_local,
    "openai": load_openai,
}
_NEEDS_OPTION = {"azure": "azure/DEPLOYMENT", "openai": "openai/MODEL"}


def provider_names() -> list[str]:
    """The first words of names that `load_provider` knows, sorted; those of installed plug-ins among them.

    >>> "openai" in provider_names()
    True
    """
    return plugins.names(ENTRY_POINTS, _LOADERS)


def load_provider(name: str, settings: Settings | None = None) -> Provider:
    """The provider of a name (see the top of this module), ready to be asked.

    >>> load_provider("echo:H").model
    'echo'

    Raises:
        ProviderError: an unknown name, no key, a file that is no model.
        MissingExtraError: the provider's packages are not installed.
    """
    settings = settings or Settings()
    if re.match(r"https?://", name):
        return load_url(name, settings)
    word, option = re.fullmatch(r"([^:/]*)[:/]?(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    if not option and word in _NEEDS_OPTION:
        raise ProviderError("provider", found=repr(name), expected=_NEEDS_OPTION[word])
    advice = "A server is named by its URL: http://HOST:PORT/v1#MODEL."
    return plugins.find(ENTRY_POINTS, _LOADERS, word, ProviderError, advice=advice)(option, settings)
