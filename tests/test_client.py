"""The client gives what a recogniser gives, by a real server; a refusal is an error or a failure."""

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import emojudge
from emojudge.audio.decode import decode
from emojudge.errors import AudioError, ServerError
from emojudge.records import Failure, Prediction, Transcript, Utterance
from emojudge.timeline import gather
from tests.serve.serving import MAIN, Server, served, speech, voice, wav

pytest.importorskip("uvicorn", reason="needs the extra 'serve'")


def test_one_recording_in_all_the_ways_of_a_recognizer(server: Server, tmp_path: Path) -> None:
    client, mine = emojudge.Client(server.url), emojudge.load(asr="none", threads=1)
    samples = voice(1.2, seed=3)
    path = tmp_path / 'café "1".wav'
    path.write_bytes(wav(samples))
    assert client(path, transcript="I'm so sad") == mine(path, transcript="I'm so sad")
    assert client(path.read_bytes()) == mine(path.read_bytes())
    stereo = np.stack([samples, samples], axis=1)
    theirs, ours = client(stereo, rate=16_000), mine(stereo, rate=16_000)
    assert theirs == ours.model_copy(update={"notes": theirs.notes})  # mixed down before it was sent
    for bad in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(AudioError):
            client(bad)
    with pytest.raises(ServerError, match="plain text") as refused:
        client(b"no recording at all")
    assert refused.value.status == 422


def test_many_utterances_in_order_one_failure_beside_the_others(server: Server, tmp_path: Path) -> None:
    client, mine = emojudge.Client(server.url), emojudge.load(asr="none", threads=1)
    words = Transcript(text="Leave me alone!", source="given", language="en")
    (tmp_path / "a.wav").write_bytes(wav(voice(0.8)))
    (tmp_path / "b.wav").write_bytes(b"PK\3\4")
    decoded = decode(wav(voice(1.1, seed=4)))
    items = [
        Utterance(id="a", audio=tmp_path / "a.wav", transcript=words),
        Utterance(id="b", audio=tmp_path / "b.wav"),
        (Utterance(id="c"), decoded),
        Utterance(id="d", transcript=words),
        Utterance(id="e"),
        Utterance(id="f", audio=tmp_path / "none.wav"),
    ] * 5
    found = list(client.predict(items))
    assert [item.id for item in found] == [*"abcdef"] * 5
    assert [isinstance(item, Failure) for item in found] == [False, True, False, False, True, True] * 5
    for theirs, ours in zip(found[:4], mine.predict(items[:4]), strict=True):
        if isinstance(theirs, Prediction) and isinstance(ours, Prediction):
            assert theirs.transcript == ours.transcript
            assert theirs.scores == pytest.approx(ours.scores, abs=1e-5)
    with pytest.raises(ServerError, match="adapt_to"):
        next(client.predict(items, adapt_to="speaker"))


def test_a_timeline_a_verdict_and_what_runs_there(server: Server, tmp_path: Path) -> None:
    client = emojudge.Client(server.url)
    path = tmp_path / "a-call-of-the-client.wav"
    path.write_bytes(wav(speech(12.0)))
    theirs, ours = client.timeline(path), gather(emojudge.load(asr="none", threads=1), path, id=str(path))
    assert [(p.start, p.end) for p in theirs.passages] == [(p.start, p.end) for p in ours.passages]
    assert theirs.id == ours.id
    prediction = client(path)
    assert client.judge(prediction).before == prediction.emotion
    assert client.models()["judge"] == "echo"
    assert "a-call-of-the-client.wav" not in server.ask("GET", "/v1/jobs").body.decode()


def test_no_server_no_token_no_address(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="no address"):
        emojudge.Client("localhost:8765")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServerError, match="Does it run"):
        emojudge.Client(f"http://127.0.0.1:{port}")(wav(voice(0.5)))
    token = "a token of the tests"
    with served(tmp_path / "data", token=token) as server:
        items = [Utterance(id="a", transcript=Transcript(text="Yes", source="given"))]
        with pytest.raises(ServerError, match="no token"):
            list(emojudge.Client(server.url).predict(items))
        assert isinstance(next(emojudge.Client(server.url, token).predict(items)), Prediction)


def test_a_server_without_room_is_asked_again(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--rate", "60") as server:
        while server.ask("GET", "/v1/models").status != 429:
            pass
        assert emojudge.Client(server.url)(wav(voice(0.5))).emotion


def test_the_command_line_by_a_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(voice(0.8)))
    (tmp_path / "b.wav").write_bytes(b"")

    def predict(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", MAIN, "predict", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = predict("a.wav", "b.wav", "--server", server.url, "-f", "jsonl")
    assert done.returncode == 1, done.stderr
    assert "b.wav" in done.stderr
    first, second = done.stdout.splitlines()
    assert Prediction.model_validate_json(first).id == "a.wav"
    assert "0 bytes" in Failure.model_validate_json(second).error
    refused = predict("a.wav", "--server", server.url, "--threads", "2")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--server beside it" in refused.stderr
