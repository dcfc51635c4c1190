"""The server that tests share where none needs options of its own."""

from collections.abc import Iterator

import pytest

from tests.serve.serving import Server, served


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a judge that needs no model, keeping audio, without a limit of requests."""
    pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
    data = tmp_path_factory.mktemp("serve") / "data"
    with served(data, "--judge", "echo", "--keep-audio", "--rate", "0") as running:
        yield running
