"""`emojudge report` as people run it, with the embedded bundle on a recording with two voices."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emojudge.audio.subtitles import parse_srt
from emojudge.records import Timeline

Run = Callable[..., Any]
EXAMPLES = Path(__file__).parents[2] / "examples"
RECORDING = EXAMPLES / "two_voices.flac"
CUES = EXAMPLES / "two_voices.srt"


@pytest.fixture
def report(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run("report", "--asr", "none", "--threads", 1, *arguments)


def test_json_is_a_timeline(report: Run, tmp_path: Path) -> None:
    result = report(RECORDING, "--turns", CUES, "--judge", "echo", "-o", "call.json")
    assert result.exit_code == 0
    assert result.stderr.startswith("emojudge: judged by echo: ")
    timeline = Timeline.model_validate_json((tmp_path / "call.json").read_text("utf-8"))
    assert [passage.speaker for passage in timeline.passages] == ["agent", "caller"] * 3
    assert all(passage.prediction.verdict for passage in timeline.passages)
    assert timeline.seconds == pytest.approx(20.877, abs=0.001)


def test_csv_has_the_columns_of_predict_after_the_times(report: Run) -> None:
    result = report(RECORDING, "--transcript", CUES, "--format", "csv")
    assert result.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0])[:5] == ["start", "end", "speaker", "id", "emotion"]
    assert all(float(row["end"]) > float(row["start"]) for row in rows)
    assert {row["transcript_source"] for row in rows} == {"file:two_voices.srt"}


def test_jsonl_is_written_as_it_comes(report: Run) -> None:
    result = report(RECORDING, "--format", "jsonl")
    kinds = [
        "passage" if "prediction" in json.loads(line) else "point" for line in result.stdout.splitlines()
    ]
    assert kinds[:2] == ["passage", "point"]
    assert kinds.count("passage") >= 6


def test_subtitles_say_who_and_what_emotion(report: Run, tmp_path: Path) -> None:
    assert report(RECORDING, "--turns", CUES, "-o", "call.srt").exit_code == 0
    cues = parse_srt((tmp_path / "call.srt").read_text("utf-8"), "call.srt")
    assert [cue.speaker for cue in cues] == ["agent", "caller"] * 3
    assert cues[3].text.startswith("(angry 9")
    assert cues[3].text.endswith("No! I want my money back, and I want it now.")


def test_several_recordings_go_into_a_folder_and_one_that_fails_fails_alone(
    report: Run, tmp_path: Path
) -> None:
    (tmp_path / "bad.wav").write_text("Dear Sir,")
    (tmp_path / "turns").mkdir()
    (tmp_path / "turns/two_voices.rttm").write_text("SPEAKER x 1 3.8 2.8 <NA> <NA> ben <NA> <NA>\n")
    result = report(RECORDING, "bad.wav", "--turns", "turns", "-o", "out", "-f", "json")
    assert result.exit_code == 1
    assert "bad.wav: found plain text" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["two_voices.json"]
    timeline = Timeline.model_validate_json((tmp_path / "out/two_voices.json").read_text("utf-8"))
    assert [(p.start, p.speaker) for p in timeline.passages] == [(3.8, "ben")]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([RECORDING], "expected a file in .html"),
        ([RECORDING, "-o", "call.docx"], "the suffix '.docx'"),
        ([RECORDING, "--format", "html"], "no --output"),
        ([RECORDING, CUES, "-o", "x.json"], "2 recordings"),
        ([RECORDING, "-o", "x.json", "--turns", CUES, "--diarise", "pyannote"], "one of the two"),
        ([RECORDING, "-o", "x.json", "--turns", EXAMPLES / "README.md"], "the suffix '.md'"),
        (["gone.wav", "-o", "x.json"], "no such file"),
    ],
)
def test_mistakes_end_before_anything_is_heard(
    report: Run, tmp_path: Path, arguments: list[Any], found: str
) -> None:
    result = report(*arguments)
    assert result.exit_code == 2
    assert found in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_recording_is_never_overwritten(report: Run, tmp_path: Path) -> None:
    (tmp_path / "call.csv").write_bytes(RECORDING.read_bytes())
    result = report(RECORDING, "--turns", "call.csv", "-o", "call.csv")
    assert result.exit_code == 2
    assert (tmp_path / "call.csv").read_bytes() == RECORDING.read_bytes()


def test_a_page_that_was_killed_goes_on_with_what_was_heard(
    report: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("emojudge.page.report.render", lambda *arguments, **options: 1 / 0)
        assert report(RECORDING, "-o", "call.html").exit_code != 0
    (left,) = tmp_path.glob("*.heard")
    kept = len(left.read_bytes().splitlines())
    result = report(RECORDING, "-o", "call.html")
    assert result.exit_code == 0
    assert f"call.html: goes on with {kept} predictions of a run before" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["call.html"]
