"""Jobs: looked at as they run, done once whatever happens to the server, corrected, exported, forgotten."""

import io
import json
import sqlite3
import time
import zipfile
from http.client import HTTPConnection
from pathlib import Path

import pytest

import emojudge
from emojudge.corpora.table import load
from emojudge.records import Segment, Timeline
from emojudge.serve.schema import Job
from emojudge.timeline import gather
from tests.serve.serving import Server, served, speech, wav


def posted(server: Server, content: bytes, name: str = "call.wav", **more: object) -> str:
    answer = server.upload("/v1/jobs", (name, content), **more)  # type: ignore[arg-type]
    assert answer.status == 202, answer.body
    assert answer.headers["location"] == f"/v1/jobs/{answer.json['id']}"
    return str(answer.json["id"])


def events(server: Server, job: str, last: int | None = None) -> list[tuple[int, str, dict]]:  # type: ignore[type-arg]
    """All events of a job until its stream ends: number, kind, data."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(
        "GET", f"/v1/jobs/{job}/events", headers={} if last is None else {"Last-Event-ID": str(last)}
    )
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    found = []
    for block in answer.read().decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    connection.close()
    return found


def test_a_recording_becomes_a_timeline_and_its_upload_is_gone(server: Server) -> None:
    job = posted(server, wav(speech(14.0, seed=2)))
    found = server.job_when(job)
    Job.model_validate(found)
    timeline = found["timeline"]
    assert timeline["seconds"] == 14.0
    assert found["attempts"] == 1
    assert len(timeline["passages"]) == found["passages"] >= 1
    assert not timeline["failures"]
    assert not list((server.data / "uploads").iterdir())
    assert server.ask("GET", f"/v1/jobs/{job}/audio").body[:4] == b"fLaC"


def test_the_timeline_is_the_librarys(server: Server) -> None:
    content = wav(speech(16.0))
    turns = (
        b"SPEAKER call 1 0.5 4.0 <NA> <NA> anna <NA> <NA>\nSPEAKER call 1 5.0 6.0 <NA> <NA> ben <NA> <NA>\n"
    )
    answer = server.upload(
        "/v1/jobs?judge=true", ("a.wav", content), ("t.rttm", turns), names=("file", "turns")
    )
    assert answer.status == 202, answer.body
    found = Timeline.model_validate(server.job_when(answer.json["id"])["timeline"])
    given = [
        Segment(start=0.5, end=4.5, text="", speaker="anna"),
        Segment(start=5, end=11, text="", speaker="ben"),
    ]
    mine = gather(emojudge.load(asr="none", threads=1), content, id="a.wav", turns=given, hop_seconds=1.0)
    assert [(p.start, p.end, p.speaker) for p in found.passages] == [
        (p.start, p.end, p.speaker) for p in mine.passages
    ]
    assert [p.prediction.scores for p in found.passages] == [
        pytest.approx(p.prediction.scores, abs=1e-5) for p in mine.passages
    ]
    assert [p.time for p in found.points] == [p.time for p in mine.points]
    assert (found.seconds, found.bundle, found.notes) == (mine.seconds, mine.bundle, mine.notes)
    assert {p.prediction.verdict.provider for p in found.passages if p.prediction.verdict} == {"echo"}


def test_words_that_cannot_be_read_are_refused(server: Server) -> None:
    answer = server.upload(
        "/v1/jobs", ("a.wav", wav(speech(2.0))), ("t.rttm", b"\xff\xfe"), names=("file", "turns")
    )
    assert (answer.status, answer.json["where"]) == (422, "t.rttm")
    assert "/" not in answer.json["detail"]


def test_events_can_be_taken_up_where_they_broke_off(server: Server) -> None:
    job = posted(server, wav(speech(14.0, seed=3)))
    all_of_them = events(server, job)
    assert [kind for _, kind, _ in all_of_them][:1] == ["started"]
    assert all_of_them[-1][1] == "done"
    assert "passage" in {kind for _, kind, _ in all_of_them}
    numbers = [number for number, _, _ in all_of_them]
    assert numbers == sorted(set(numbers))
    assert events(server, job, last=numbers[1]) == all_of_them[2:]
    assert events(server, job, last=numbers[-1]) == []


def test_humes_shape_of_a_timeline(server: Server) -> None:
    job = posted(server, wav(speech(8.0, seed=4)))
    passages = server.job_when(job)["timeline"]["passages"]
    (file,) = server.ask("GET", f"/v1/jobs/{job}?format=hume").json
    (group,) = file["results"]["predictions"][0]["models"]["prosody"]["grouped_predictions"]
    assert [segment["time"] for segment in group["predictions"]] == [
        {"begin": passage["start"], "end": passage["end"]} for passage in passages
    ]


def test_a_recording_that_breaks_off_fails_with_what_was_found(server: Server, tmp_path: Path) -> None:
    with served(tmp_path / "data", "--max-minutes", "0.2") as small:
        job = posted(small, wav(speech(14.0)))
        found = small.job_when(job, ("failed",))
        assert "12 s" in found["error"]
        assert found["timeline"]["passages"]


def test_what_is_no_recording_is_refused_at_once(server: Server) -> None:
    answer = server.upload("/v1/jobs", ("a.wav", b"%PDF-1.7 ..."))
    assert (answer.status, answer.json["found"]) == (422, "a PDF document")
    assert not list((server.data / "uploads").iterdir())


def test_cancelled_and_deleted(server: Server) -> None:
    first = posted(server, wav(speech(120.0, seed=5)))
    second = posted(server, wav(speech(60.0, seed=6)))
    assert server.ask("POST", f"/v1/jobs/{second}/cancel").json["state"] == "cancelled"
    assert server.ask("POST", f"/v1/jobs/{second}/cancel").status == 409
    assert events(server, second)[-1][1] == "cancelled"
    assert server.ask("DELETE", f"/v1/jobs/{first}").status == 204
    assert server.ask("DELETE", f"/v1/jobs/{first}").status == 404
    assert server.ask("GET", f"/v1/jobs/{first}").status == 404
    third = posted(server, wav(speech(2.0, seed=7)))  # the runner goes on with the next
    server.job_when(third)
    assert not list((server.data / "uploads").iterdir())
    assert not (server.data / "audio" / f"{first}.flac").exists()


def test_a_correction_goes_out_as_a_corpus_that_training_reads(server: Server, tmp_path: Path) -> None:
    job = posted(server, wav(speech(5.0, seed=8)))
    passage = server.job_when(job)["timeline"]["passages"][0]
    doubtful = server.ask("GET", "/v1/doubtful?limit=500").json["passages"]
    assert [d["doubt"] for d in doubtful] == sorted((d["doubt"] for d in doubtful), reverse=True)
    assert (job, 0) in {(d["job"], d["number"]) for d in doubtful}
    asked = {
        "job": job,
        "passage": 0,
        "emotion": "sad",
        "attributes": {"valence": 2, "arousal": 3, "dominance": 4},
        "transcript": "Nobody came.",
    }
    answer = server.ask("POST", "/v1/corrections", asked)
    assert answer.status == 201, answer.body
    assert answer.json["before"] == passage["prediction"]["emotion"]
    assert (
        server.ask("POST", "/v1/corrections", asked | {"emotion": "fear"}).status == 201
    )  # changed his mind
    left = server.ask("GET", "/v1/doubtful?limit=500").json["passages"]
    assert (job, 0) not in {(d["job"], d["number"]) for d in left}

    packed = server.ask("GET", "/v1/corrections/export")
    assert packed.headers["content-type"] == "application/zip"
    zipfile.ZipFile(io.BytesIO(packed.body)).extractall(tmp_path)
    (utterance,) = [u for u in load(tmp_path) if u.recording == job]
    assert utterance.emotion == "fear"
    assert utterance.transcript is not None
    assert utterance.transcript.text == "Nobody came."
    assert utterance.attributes is not None
    assert utterance.attributes.dominance == 4
    assert utterance.audio is not None
    from emojudge.audio.decode import decode

    assert decode(utterance.audio).seconds == pytest.approx(passage["end"] - passage["start"], abs=0.001)


def test_corrections_of_what_nobody_could_learn_from_are_refused(tmp_path: Path) -> None:
    with served(tmp_path / "data") as server:
        assert server.ask("GET", "/v1/corrections/export").status == 404
        job = posted(server, wav(speech(3.0)))
        server.job_when(job)
        asked = {"job": job, "passage": 0, "emotion": "sad"}
        assert server.ask("POST", "/v1/corrections", asked).status == 409
        assert server.ask("POST", "/v1/corrections", asked | {"passage": 99}).status == 404
        assert server.ask("GET", f"/v1/jobs/{job}/audio").status == 404
        assert server.ask("POST", "/v1/corrections", asked | {"transcript": "No."}).status == 201
        content = server.ask("GET", "/v1/corrections/export").body
        assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["manifest.jsonl"]


@pytest.mark.slow
def test_twenty_jobs_are_done_once_each_though_the_server_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data, "--rate", "0") as server:
        jobs = [posted(server, wav(speech(9.0, seed=n)), f"{n}.wav") for n in range(20)]
        while server.ask("GET", "/v1/jobs").json["jobs"][-4]["state"] != "done":
            time.sleep(0.02)
        server.kill()
    before = {row[0]: row[1:] for row in rows(data, "SELECT id, state, finished, attempts FROM jobs")}
    states = [state for state, _, _ in before.values()]
    assert states.count("done") >= 4
    assert states.count("queued") >= 1
    with served(data, "--rate", "0") as server:
        found = {job: server.job_when(job) for job in jobs}
    for number, job in enumerate(jobs):
        assert found[job]["name"] == f"{number}.wav"
        assert len(found[job]["timeline"]["passages"]) == found[job]["passages"] >= 1
        if before[job][0] == "done":  # as it was: not begun again
            assert (found[job]["finished"], found[job]["attempts"]) == before[job][1:]
        assert found[job]["attempts"] == (2 if before[job][0] == "running" else 1)
    ended = dict(rows(data, "SELECT job, count(*) FROM events WHERE kind = 'done' GROUP BY job"))
    assert ended == dict.fromkeys(jobs, 1)
    assert not list((data / "uploads").iterdir())


def test_a_server_that_is_asked_to_end_queues_its_job_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data) as server:
        job = posted(server, wav(speech(240.0)))
        while server.ask("GET", f"/v1/jobs/{job}").json["passages"] < 2:
            time.sleep(0.05)
        assert server.stop() == 0
    assert rows(data, "SELECT state, attempts FROM jobs") == [("queued", 0)]
    assert [path.name for path in (data / "uploads").iterdir()] == [job]


def test_a_job_that_takes_the_server_down_is_given_up(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data):
        pass
    with sqlite3.connect(data / "jobs.sqlite") as base:
        base.execute(
            "INSERT INTO jobs (id, name, options, state, created, attempts, number) "
            "VALUES (?, 'a', '{}', 'running', '2026-01-01', 3, 1)",
            ("0" * 32,),
        )
    with served(data) as server:
        found = server.ask("GET", f"/v1/jobs/{'0' * 32}").json
    assert found["state"] == "failed"
    assert "3 times" in found["error"]


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        served(tmp_path / "data"),
        pytest.raises(AssertionError, match="another server's data"),
        served(tmp_path / "data"),
    ):
        pass


def rows(data: Path, query: str) -> list:  # type: ignore[type-arg]
    base = sqlite3.connect(data / "jobs.sqlite")
    try:
        return base.execute(query).fetchall()
    finally:
        base.close()
