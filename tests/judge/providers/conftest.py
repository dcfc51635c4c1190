"""What the providers' tests share: a server on loopback, and no keys of this machine."""

from collections.abc import Iterator

import pytest

from .serving import Server


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keys and endpoints this machine has are none of a test's business."""
    for name in (
        "EMOJUDGE_API_KEY",
        "EMOJUDGE_API_KEY_FILE",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_API_VERSION",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
    ):
        monkeypatch.delenv(name, raising=False)
