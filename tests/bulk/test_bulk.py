"""Many recordings over many workers: every input once, from and to any storage, whatever is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fsspec", reason="needs the extra 'bulk'")
pytest.importorskip("pyarrow.parquet", reason="needs the extra 'bulk'")

from pyarrow import parquet

from emojudge.bulk.inputs import Input, gather
from emojudge.bulk.plan import Done, Plan, Settings
from emojudge.bulk.storage import Storage
from emojudge.bulk.worker import Worker
from emojudge.errors import EmojudgeError
from emojudge.recognizer import load
from emojudge.records import Failure, Prediction

SETTINGS = Settings(sources=("x",), bundle_hash="0", part_size=3, version="0")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    random = np.random.default_rng(0)
    for number in range(7):
        soundfile.write(folder / f"{number}.wav", random.normal(0, 0.1, 16_000 + 800 * number), 16_000)
    (folder / "5.wav").write_text("no recording")
    (folder / ".hidden").mkdir()
    soundfile.write(folder / ".hidden" / "x.wav", random.normal(0, 0.1, 16_000), 16_000)
    (folder / "notes.txt").write_text("no recording either")
    return folder


@pytest.fixture(scope="module")
def server(recordings: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(recordings))  # type: ignore[arg-type]

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def rows(folder: Path, name: str) -> list[dict[str, object]]:
    return [row for path in sorted((folder / name).iterdir()) for row in parquet.read_table(path).to_pylist()]


# --------------------------------------------------------------------------------------------------- inputs


def test_recordings_below_a_folder_in_their_order(recordings: Path):
    names = [f"{recordings}/{number}.wav" for number in range(7)]
    assert [each.url for each in gather([str(recordings)])] == names
    assert [each.url for each in gather([f"{recordings}/[0-2].wav", f"{recordings}/1.wav"])] == names[:3]


def test_a_manifest_names_files_beside_it_or_anywhere(tmp_path: Path):
    table = tmp_path / "calls.csv"
    table.write_text(
        "id,file,transcript,speaker\n"
        "a,one.wav,Hello.,anna\n"
        "b,https://host/two.wav,,\n"
        "c,,Only words.,\n"
        "d,,,\n"
        "a,three.wav,,\n"
    )
    a, b, c, d, twice = gather([str(table)])
    assert a == Input(id="a", url=f"{tmp_path}/one.wav", transcript="Hello.", speaker="anna")
    assert b == Input(id="b", url="https://host/two.wav")
    assert c == Input(id="c", transcript="Only words.")
    assert "neither file nor transcript" in (d.error or "")
    assert twice.id == f"{table}:6"
    assert "line 2 has too" in (twice.error or "")


@pytest.mark.parametrize(
    ("source", "found"),
    [("nowhere/", "nothing to predict"), ("gopher://host/a", "Protocol not known"), ("*.none", "nothing")],
)
def test_what_gives_nothing_is_named(tmp_path: Path, source: str, found: str):
    where = source if "://" in source else str(tmp_path / source)
    with pytest.raises(EmojudgeError, match=found):
        gather([where])


# ----------------------------------------------------------------------------------------------------- plan


@settings(deadline=None, max_examples=20)
@given(inputs=st.integers(1, 12), size=st.integers(1, 5), kept=st.sets(st.integers(0, 11)))
def test_open_parts_are_those_that_are_not_done(inputs: int, size: int, kept: set[int]):
    storage = Storage.at(f"memory://{os.urandom(8).hex()}")
    told = SETTINGS.model_copy(update={"part_size": size})
    plan = Plan.begin(storage, told, [Input(id=str(n), url=f"{n}.wav") for n in range(inputs)])
    assert Plan.of(storage) == plan
    assert [each.id for part in range(plan.parts) for each in plan.part(part)] == [*map(str, range(inputs))]
    for part in kept & set(range(plan.parts)):
        members = plan.part(part)
        done = Done(
            part=part, inputs=len(members), predicted=0, failed=len(members), audio_seconds=0, wall_seconds=1
        )
        plan.keep(
            [Failure(id=each.id, error="none") for each in members], done, [each.url for each in members]
        )
    assert plan.open_parts() == [part for part in range(plan.parts) if part not in kept]
    if plan.open_parts():
        with pytest.raises(EmojudgeError, match="one row for each"):
            plan.finish()
    else:
        assert plan.finish()["failed"] == inputs


def test_a_run_that_was_begun_otherwise_is_refused(tmp_path: Path):
    plan = Plan.begin(Storage.at(str(tmp_path)), SETTINGS, [Input(id="a", url="a.wav")])
    plan.check(SETTINGS)
    with pytest.raises(EmojudgeError, match=r"asr = 'none'; expected one with 'moonshine'"):
        plan.check(SETTINGS.model_copy(update={"asr": "moonshine"}))
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(EmojudgeError, match=r"plan\.json"):
        Plan.of(Storage.at(str(tmp_path)))


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = Storage.at(str(tmp_path / "deep" / "file"))
    target.write(b"before")

    def cut_off(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(target.fs), "mv", cut_off)
    with pytest.raises(KeyboardInterrupt):
        target.write(b"after")
    assert target.read() == b"before"


# --------------------------------------------------------------------------------------------------- worker


def begin(to: Path, sources: list[str], **changes: object) -> Plan:
    return Plan.begin(Storage.at(str(to)), SETTINGS.model_copy(update=changes), gather(sources))


def test_a_worker_predicts_as_the_recogniser_does(recordings: Path, tmp_path: Path):
    plan = begin(tmp_path, [str(recordings)], jsonl=True)
    worker = Worker(str(tmp_path))
    done = [worker(part) for part in plan.open_parts()]
    assert [(each.predicted, each.failed) for each in done] == [(3, 0), (2, 1), (1, 0)]
    assert plan.finish()["audio_seconds"] == pytest.approx(sum(1 + 0.05 * n for n in range(7) if n != 5))
    written = rows(tmp_path, "predictions")
    assert [row["id"] for row in written] == [f"{recordings}/{n}.wav" for n in range(7) if n != 5]
    recognizer = load(asr="none")
    for row, path in zip(written, sorted((tmp_path / "jsonl").iterdir()), strict=False):
        prediction = Prediction.model_validate_json(path.read_text().splitlines()[0])
        assert recognizer(prediction.id).scores == pytest.approx(prediction.scores, abs=1e-5)
        assert row["emotion"] is not None
    (failure,) = rows(tmp_path, "failures")
    assert failure["id"] == failure["url"] == f"{recordings}/5.wav"
    assert "found plain text" in str(failure["error"])


def test_recordings_come_over_http_and_do_not_stay(
    recordings: Path, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("aiohttp", reason="needs fsspec's package for HTTP")
    table = tmp_path / "manifest.csv"
    named = [f"{n},{server}/{n}.wav" for n in (0, 5, 6)]
    table.write_text("\n".join(["id,file", *named, f"lost,{server}/none.wav"]))
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spool))
    plan = begin(tmp_path / "to", [str(table)], part_size=10)
    done = Worker(str(tmp_path / "to"))(0)
    assert (done.predicted, done.failed) == (2, 2)
    assert plan.finish()["inputs"] == 4
    near, far = load(asr="none")(recordings / "6.wav"), rows(tmp_path / "to", "predictions")[1]
    assert far["score_angry"] == pytest.approx(near.scores["angry"], abs=1e-5)
    text, lost = rows(tmp_path / "to", "failures")
    assert f"{server}/5.wav: found plain text" in str(text["error"])
    assert f"{server}/none.wav" in str(lost["error"])
    assert list(spool.iterdir()) == []


def test_words_alone_and_rows_that_are_none(tmp_path: Path):
    table = tmp_path / "manifest.jsonl"
    table.write_text('{"id": "a", "transcript": "I am so happy!"}\n{"id": "b"}\n')
    begin(tmp_path / "to", [str(table)])
    Worker(str(tmp_path / "to"))(0)
    (row,), (failure,) = rows(tmp_path / "to", "predictions"), rows(tmp_path / "to", "failures")
    assert (row["emotion"], row["modalities"], row["transcript"]) == ("happy", "text", "I am so happy!")
    assert "neither file nor transcript" in str(failure["error"])


# ------------------------------------------------------------------------------------------------------ run


def command(sources: Path, to: Path) -> list[str]:
    program = "from emojudge.cli.main import main; main()"
    options = ["--to", str(to), "--workers", "1", "--part-size", "1"]
    return [sys.executable, "-c", program, "bulk", str(sources), *options]


def wait_for(folder: Path, count: int, running: subprocess.Popen[bytes]) -> None:
    while not folder.is_dir() or len([*folder.glob("*.json")]) < count:
        assert running.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_is_killed_goes_on_and_does_nothing_twice(recordings: Path, tmp_path: Path):
    pytest.importorskip("ray", reason="needs the extra 'bulk'")
    done = tmp_path / "done"
    running = subprocess.Popen(
        command(recordings, tmp_path), start_new_session=True, stderr=subprocess.DEVNULL
    )
    wait_for(done, 3, running)
    os.killpg(running.pid, signal.SIGKILL)  # Ray's own processes go with it
    running.wait()
    written = {path.name: path.stat().st_mtime_ns for path in done.glob("*.json")}
    last = subprocess.run(command(recordings, tmp_path), capture_output=True, text=True)
    assert last.returncode == 1, last.stderr
    assert "goes on with the run of 7 inputs" in last.stderr
    assert "6 of 7 inputs predicted" in last.stderr
    assert {path.name: path.stat().st_mtime_ns for path in done.glob("*.json")}.items() >= written.items()
    names = [row["id"] for name in ("predictions", "failures") for row in rows(tmp_path, name)]
    assert sorted(names) == [f"{recordings}/{n}.wav" for n in range(7)]
    assert json.loads((tmp_path / "manifest.json").read_text())["inputs"] == 7
