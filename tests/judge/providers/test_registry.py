"""Providers by name, those of other packages among them."""

import re
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from emojudge.errors import ProviderError
from emojudge.judge.exchange import Answer, Request
from emojudge.judge.providers import Settings, load_provider, provider_names

from .serving import make_request


class Theirs:
    """A provider of another package."""

    concurrency = 1

    def __init__(self, option: str, settings: Settings) -> None:
        self.name, self.model = f"theirs:{option}", option
        self.settings = settings

    def ask(self, request: Request) -> Answer:
        return Answer(request.key, (self.model,))


def plug(monkeypatch: pytest.MonkeyPatch, name: str, value: str = "theirs:load") -> None:
    points = EntryPoints([EntryPoint(name, value, "emojudge.providers")])
    monkeypatch.setattr("emojudge.plugins.entry_points", points.select)


def test_providers_of_other_packages_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, "theirs")
    monkeypatch.setattr(EntryPoint, "load", lambda self: Theirs)
    assert "theirs" in provider_names()
    for name in ("theirs:a/b:c", "theirs/a/b:c"):
        provider = load_provider(name, Settings(timeout=3.0))
        assert provider.ask(make_request()).texts == ("a/b:c",)
    assert load_provider("theirs").model == ""


def test_a_name_of_ours_cannot_be_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, "echo")
    monkeypatch.setattr(EntryPoint, "load", lambda self: Theirs)
    assert load_provider("echo").model == "echo"


def test_a_plugin_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, "theirs", "no_such_module_anywhere:load")
    with pytest.raises(ProviderError, match="no_such_module_anywhere"):
        load_provider("theirs:x")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("openia/gpt-5", "Did you mean 'openai'"),
        ("", "azure, echo, local, openai"),
        ("openai", "openai/MODEL"),
        ("openai/", "openai/MODEL"),
        ("azure", "azure/DEPLOYMENT"),
        ("local", "local:PATH"),
        ("ftp://host", "http://HOST:PORT"),
        ("\n", "provider"),
    ],
)
def test_names_that_are_none(name: str, words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        load_provider(name)


def test_the_examples_of_the_page_run() -> None:
    page = Path(__file__).parents[3] / "docs/howto/providers.md"
    first, second = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    exec(compile(first, str(page), "exec"), {})
    defined: dict[str, object] = {}
    exec(compile(second, str(page), "exec"), defined)
    assert callable(defined["judge_in_batches"])
