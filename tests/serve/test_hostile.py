"""Hostile recordings: each is answered with a problem, none ends the server or fills its memory."""

import json
import re
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from emojudge.errors import AudioError
from emojudge.serve.decoding import Decoders
from tests.serve.hostile import endless, hostile
from tests.serve.serving import Server, voice, wav

MOST = 150 * 2**20  # bytes that the server's own process may grow by, whatever it is sent


def test_hostile_files_are_answered_each_with_a_problem(server: Server) -> None:
    server.upload("/v1/predict", ("a.wav", wav(voice(1.0))))
    before, wrong, count = server.memory(), [], 0
    for name, content in hostile():
        count += 1
        for path in ("/v1/predict", "/v1/jobs"):
            answer = server.upload(path, (name, content))
            kind = answer.headers["content-type"]
            if path == "/v1/jobs" and answer.status == 202:
                ended = server.job_when(answer.json["id"], ("failed", "done"))
                if ended["state"] != "failed":
                    wrong.append((name, path, ended["state"]))
            elif not 400 <= answer.status < 500 or kind != "application/problem+json":
                wrong.append((name, path, answer.status, answer.body[:300]))
    assert count >= 60
    assert not wrong
    assert server.memory() - before < MOST
    assert server.upload("/v1/predict", ("a.wav", wav(voice(1.0)))).status == 200


def test_hostile_streams_are_ended_each_with_a_problem(server: Server) -> None:
    before, wrong = server.memory(), []
    for name, content in list(hostile())[::6]:
        with connect(f"ws://127.0.0.1:{server.port}/v1/stream", max_size=None) as talk:
            talk.send(json.dumps({"format": "webm"}))
            last = {}
            try:
                for start in range(0, len(content), 2**18):
                    talk.send(content[start : start + 2**18])
                talk.send("end")
                while last.get("type") not in ("problem", "done"):
                    last = json.loads(talk.recv(timeout=60))
            except ConnectionClosed:
                while last.get("type") != "problem":  # said before it hung up
                    last = json.loads(talk.recv(timeout=1))
            # FFmpeg plays some of what libsndfile refuses: silence, then, and no passage.
            if last["type"] == "problem" and not 400 <= last["problem"]["status"] < 500:
                wrong.append((name, last))
    assert not wrong
    assert server.memory() - before < MOST
    assert server.upload("/v1/predict", ("a.wav", wav(voice(1.0)))).status == 200


def test_what_never_ends_is_cut_off(server: Server) -> None:
    before = server.memory()
    for name, content in endless():
        answer = server.upload("/v1/predict", (name, content))
        assert answer.status == 422, (name, answer.body)
    assert server.memory() - before < MOST


def test_a_decoder_that_is_killed_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(voice(12.0)))
    decoders = Decoders(1)
    with path.open("rb") as file:
        first = decoders.stream(file, "a", 60)
        assert len(next(first)) == 5 * 16_000
        first.stop()
        with pytest.raises(AudioError, match="SIGKILL"):
            list(first)
        assert decoders.decode(file, "a", 60).seconds == 12.0
        with pytest.raises(AudioError, match="more than 3 s"):
            decoders.decode(file, "a", 3)
        kept = decoders.decode(file, "a", 60)
        assert kept.seconds == 12.0
    decoders.close()


def test_a_decoder_may_not_write_nor_take_all_memory(tmp_path: Path) -> None:
    """Its limits, as the system has them for a decoder that waits for work."""
    decoders = Decoders(1)
    decoders.warm()
    pid = decoders._idle[0]._process.pid
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max file size +0 +0 ", limits)
    assert re.search(rf"Max address space +{2**30} +{2**30} ", limits)
    assert re.search(r"Max core file size +0 +0 ", limits)
    variables = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"EMOJUDGE_TOKEN" not in variables
    decoders.close()
