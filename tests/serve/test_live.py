"""Live audio over a WebSocket: results as segments close; who does not keep to the form is told so."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.serve.serving import Server, served, speech, webm


def stream(server: Server, **more: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/v1/stream", **more)


def heard(talk: ClientConnection, until: str = "done") -> list[dict[str, Any]]:
    """Messages up to one of a kind."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != until:
        found.append(json.loads(talk.recv(timeout=30)))
    return found


def spoken(rate: int = 16_000) -> np.ndarray:
    """17 s of speech `(samples,)` at a rate in Hz, with pauses."""
    return soxr.resample(speech(17.0), 16_000, rate)


@pytest.mark.parametrize("rate", [16_000, 8_000, 48_000])
def test_pcm_at_any_rate(server: Server, rate: int) -> None:
    data = (spoken(rate) * 32_767).astype("<i2").tobytes()
    with stream(server) as talk:
        talk.send(json.dumps({"format": "pcm16", "rate": rate, "id": "mic"}))
        for start in range(0, len(data), 9_999):  # an odd number: samples are cut in two
            talk.send(data[start : start + 9_999])
        talk.send("end")
        found = heard(talk)
    assert found[0] == {"type": "ready", "id": "mic"}
    passages = [message["passage"] for message in found if message["type"] == "passage"]
    assert len(passages) >= 2
    assert all(0 <= p["start"] < p["end"] <= 17.0 for p in passages)
    assert passages[0]["prediction"]["id"].startswith("mic#t=")
    assert found[-1]["seconds"] == pytest.approx(17.0, abs=0.01)


def test_a_passage_comes_before_the_stream_ends(server: Server) -> None:
    data = (spoken() * 32_767).astype("<i2").tobytes()
    with stream(server) as talk:
        talk.send(json.dumps({"format": "pcm16", "rate": 16_000}))
        talk.send(data)
        assert heard(talk, "passage")[-1]["passage"]["prediction"]["emotion"]
        talk.send("end")
        heard(talk)


def test_what_a_browsers_microphone_sends(server: Server) -> None:
    content = webm(spoken(48_000))
    with stream(server) as talk:
        talk.send(json.dumps({"format": "webm"}))
        half = len(content) * 2 // 3
        for start in range(0, half, 4_000):
            talk.send(content[start : min(start + 4_000, half)])
        first = heard(talk, "passage")[-1]["passage"]  # though the container has no end yet
        talk.send(content[half:])
        talk.send("end")
        found = heard(talk)
    assert first["start"] < first["end"]
    assert any(message["type"] == "passage" for message in found)
    assert found[-1]["seconds"] == pytest.approx(17.0, abs=0.1)


def test_a_stream_that_is_no_recording_ends_in_a_problem(server: Server) -> None:
    for content in (b"\x1a\x45\xdf\xa3" + bytes(50_000), b"#EXTM3U\nfile:///etc/passwd\n" * 4_000):
        with stream(server) as talk:
            talk.send(json.dumps({"format": "webm"}))
            talk.send(content)
            talk.send("end")
            problem = heard(talk, "problem")[-1]["problem"]
        assert 400 <= problem["status"] < 500
    assert server.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "first",
    [
        "no json",
        '{"format": "mp3"}',
        '{"format": "pcm16", "rate": 0}',
        '{"format": "pcm16", "rate": 1e9}',
        "[]",
        b"\0\0",
    ],
)
def test_a_first_message_that_says_something_else(server: Server, first: str | bytes) -> None:
    with stream(server) as talk:
        talk.send(first)
        assert heard(talk, "problem")[-1]["problem"]["status"] == 422
        with pytest.raises(ConnectionClosed) as closed:
            talk.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


def test_text_in_the_middle_and_hanging_up(server: Server) -> None:
    with stream(server) as talk:
        talk.send(json.dumps({"format": "pcm16"}))
        talk.send("more")
        assert heard(talk, "problem")[-1]["problem"]["status"] == 422
    for kind in ("pcm16", "webm"):
        with stream(server) as talk:
            talk.send(json.dumps({"format": kind}))
            talk.send(b"\0" * 5_000)
            talk.socket.close()
    end = time.monotonic() + 20
    while b"emojudge_active_streams 0.0" not in server.ask("GET", "/metrics").body:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_pages_of_other_sites_may_not_listen(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        stream(server, origin="https://example.org")
    assert refused.value.response.status_code == 403
    with stream(server, origin=f"http://127.0.0.1:{server.port}") as talk:
        talk.send(json.dumps({"format": "pcm16"}))
        heard(talk, "ready")


def test_the_token_comes_in_a_header_or_in_the_first_message(tmp_path: Path) -> None:
    token = "a token of the tests"
    with served(tmp_path / "data", "--max-minutes", "0.1", token=token) as server:
        with stream(server) as talk:
            talk.send(json.dumps({"format": "pcm16"}))
            assert heard(talk, "problem")[-1]["problem"]["status"] == 401
        with pytest.raises(InvalidStatus) as refused:
            stream(server, additional_headers={"Authorization": "Bearer another one"})
        assert refused.value.response.status_code == 401
        with stream(server, additional_headers={"Authorization": f"Bearer {token}"}) as talk:
            talk.send(json.dumps({"format": "pcm16"}))
            heard(talk, "ready")
        with stream(server) as talk:
            talk.send(json.dumps({"format": "pcm16", "token": token}))
            heard(talk, "ready")
            talk.send(bytes(7 * 32_000))
            assert heard(talk, "problem")[-1]["problem"]["status"] == 413  # six seconds are allowed
