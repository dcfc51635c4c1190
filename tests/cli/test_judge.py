"""`emojudge judge` and `predict --judge` as people run them, with a provider that has no model."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emojudge.bundle.format import Bundle, write_manifest
from emojudge.cli.judged import Said
from emojudge.emotions import EMOTIONS
from emojudge.judge.evidence import TURNS
from emojudge.judge.settings import Settings
from emojudge.records import Prediction, Transcript, Utterance

Run = Callable[..., Any]
TABLE = """name,pred,conf,text,label,other
a,happy,0.5,"Well, that is just great.",contempt,=1+1
b,sad,0.9,I miss her so much.,sad,kept
c,neutral,0.4,Hm.,neutral,kept
d,,,,sad,kept
"""
COLUMNS = ("--columns", "id=name", "--columns", "emotion=pred", "--columns", "score=conf")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path / "p.csv"


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_predictions_of_another_recogniser(run: Run, table: Path) -> None:
    result = run("judge", table, "--judge", "echo:contempt", *COLUMNS, "-f", "csv")
    assert result.exit_code == 1  # one row without a prediction
    rows = cells(result.stdout)
    assert [row["name"] for row in rows] == ["a", "b", "c", "d"]
    assert [(row["pred"], row["verdict_emotion"]) for row in rows[:2]] == [
        ("happy", "contempt"),
        ("sad", "contempt"),
    ]
    assert {row["other"] for row in rows} == {"=1+1", "kept"}
    assert rows[0]["verdict_status"] == "changed"
    assert rows[3]["verdict_emotion"] == ""
    assert "1 row without a prediction" in result.stderr
    assert "judged by echo:contempt: 3 changed" in result.stderr


def test_run_may_be_said_or_not(run: Run, table: Path) -> None:
    said = run("judge", "run", table, "--judge", "echo", *COLUMNS, "-f", "jsonl")
    unsaid = run("judge", table, "--judge", "echo", *COLUMNS, "-f", "jsonl")
    assert said.stdout == unsaid.stdout
    assert len(said.stdout.splitlines()) == 4


def test_every_format_has_the_reason(run: Run, table: Path) -> None:
    for layout in ("table", "json", "jsonl", "csv"):
        result = run("judge", table, "--judge", "echo:contempt", *COLUMNS, "-f", layout)
        assert "contempt" in result.stdout
        assert "echo" in result.stdout
    records = json.loads(run("judge", table, "--judge", "echo:contempt", *COLUMNS, "-f", "json").stdout)
    assert (records[0]["pred"], records[0]["verdict"]["emotion"], records[3]["verdict"]) == (
        "happy",
        "contempt",
        None,
    )


def test_a_model_has_to_be_named(run: Run, table: Path) -> None:
    result = run("judge", table, *COLUMNS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "found no language model" in result.stderr
    assert not (table.parent / "emojudge-judge.sqlite").exists()


def test_a_dry_run_leaves_nothing(run: Run, table: Path) -> None:
    result = run("judge", table, "--judge", "echo", *COLUMNS, "--gate", "uncertain:0.5", "--dry-run")
    assert result.exit_code == 0
    assert "2 requests would be sent to echo" in result.stdout
    assert "Well, that is just great." in result.stdout
    assert not (table.parent / "emojudge-judge.sqlite").exists()


def test_a_price_can_be_said(run: Run, table: Path) -> None:
    pytest.importorskip("openai", reason="needs the extra 'judge'")
    asked = ("judge", table, *COLUMNS, "--judge", "http://127.0.0.1:9/v1#theirs", "--dry-run")
    assert "price not known" in run(*asked).stdout
    assert "at most $" in run(*asked, "--price", "2,8", "--max-cost", "1").stdout
    result = run(*asked, "--price", "two")
    assert result.exit_code == 2
    assert "--price 2.5,10" in result.stderr


def test_turns_come_before_what_follows_them() -> None:
    said = Said()

    def before(position: float, text: str) -> list[str]:
        words = Transcript(text=text, source="given")
        turn = Utterance(id=text, transcript=words, speaker="Ann", recording="call", position=position)
        prediction = Prediction.model_construct(id=text, transcript=None)
        return [turn.text for turn in said.before(prediction, turn)]

    assert before(0, "Hello?") == []
    assert before(2, "I lost it.") == ["Hello?"]
    assert before(1, "What is it?") == ["Hello?"]
    assert before(3, " ") == ["Hello?", "What is it?", "I lost it."]
    for position in range(4, 12):
        assert len(before(position, "No.")) <= TURNS
    assert said.before(Prediction.model_construct(id="x", transcript=None), None) == []


def test_gate_and_threshold(run: Run, table: Path) -> None:
    result = run("judge", table, "-j", "echo:contempt", *COLUMNS, "--gate", "uncertain:0.5", "-f", "csv")
    assert [row["verdict_status"] for row in cells(result.stdout)] == ["changed", "passed", "changed", ""]
    result = run("judge", table, "-j", "echo", *COLUMNS, "--threshold", "1", "-f", "csv")
    assert "changed" not in {row["verdict_status"] for row in cells(result.stdout)}
    (table.parent / "q.csv").write_text("id,emotion\n1,sad\n")
    refused = run("judge", table.parent / "q.csv", "-j", "echo", "--gate", "budget:10%")
    assert refused.exit_code == 2
    assert "predictions without scores" in refused.stderr


def test_labels_are_compared(run: Run, table: Path) -> None:
    (table.parent / "labels.csv").write_text("id,emotion,speaker\na,contempt,x\nb,sad,y\nc,neutral,x\n")
    result = run("judge", table, "-j", "echo:contempt", *COLUMNS, "--labels", table.parent / "labels.csv")
    assert "macro-F1 0.667 → 0.167" in result.stderr
    assert "wrong → right 1, right → wrong 2" in result.stderr


def test_names_can_be_masked(run: Run, table: Path) -> None:
    pytest.importorskip("faker", reason="needs the extra 'redact'")
    (table.parent / "q.csv").write_text("id,emotion,text\n1,sad,Call Michael at 555 12345.\n")
    run("judge", table.parent / "q.csv", "-j", "echo", "--redact", "--ledger", "masked.sqlite")
    (said,) = sqlite3.connect("masked.sqlite").execute(
        "SELECT text FROM texts WHERE text LIKE '%transcript%data%'"
    )
    assert "[number]" in said[0]
    assert "12345" not in said[0]


def test_the_ledger_is_shown_and_exported(run: Run, table: Path) -> None:
    run("judge", table, "-j", "echo", *COLUMNS, "--cache", "l.sqlite")
    shown = run("judge", "log", "l.sqlite")
    assert "run 1" in shown.stdout
    assert "3 requests, 3 answers, 0 errors" in shown.stdout
    assert "I miss her so much." in run("judge", "log", "l.sqlite", "--utterance", "b").stdout
    assert run("judge", "log", "l.sqlite", "--export", "all.jsonl").exit_code == 0
    entries = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    assert [entry["utterance"] for entry in entries] == ["a", "b", "c"]
    run("judge", "log", "l.sqlite", "--export", "all.csv")
    assert [row["utterance"] for row in cells(Path("all.csv").read_text())] == ["a", "b", "c"]
    assert run("judge", "log", "none.sqlite").exit_code == 2


def test_tuning_writes_settings_that_the_others_read(run: Run, table: Path) -> None:
    rows = ["id,emotion,score,text,speaker"]
    labels = ["id,emotion"]
    for i in range(48):
        rows.append(f"{i},{EMOTIONS[(i * 3) % 8]},0.{30 + i},words {i},s{i % 8}")
        labels.append(f"{i},{EMOTIONS[i % 8]}")
    Path("q.csv").write_text("\n".join(rows) + "\n")
    Path("labels.csv").write_text("\n".join(labels) + "\n")
    tuned = run("judge", "tune", "q.csv", "--labels", "labels.csv", "-j", "echo", "--folds", "3")
    assert tuned.exit_code == 0, tuned.stderr
    assert "48 labelled utterances; nested cross-validation, 3 folds by speaker" in tuned.stdout
    assert "spread over 3 wordings" in tuned.stdout
    settings = Settings.read(Path("judge.json"))
    assert settings.judge == "off"  # an echo knows nothing
    result = run("judge", "q.csv", "-j", "echo", "--settings", "judge.json", "-f", "csv")
    assert {row["verdict_status"] for row in cells(result.stdout)} == {"passed"}
    assert "the judge is off: refinement changed the metric by" in result.stderr


def test_bad_mappings_are_told(run: Run, table: Path) -> None:
    for column, expected in (
        ("emotion", "OURS=THEIRS"),
        ("emotoin=pred", "Did you mean 'emotion'"),
        ("id=no", "'no' among"),
    ):
        result = run("judge", table, "-j", "echo", "--columns", column)
        assert result.exit_code == 2
        assert expected in result.stderr
    assert "found no such file" in run("judge", "none.csv", "-j", "echo").stderr
    assert "the columns" in run("judge", table, "-j", "echo").stderr


# ------------------------------------------------------------------------------------------- predict --judge


@pytest.fixture
def predict(run: Run, tiny_bundle: Bundle, calls: Path) -> Run:
    options = ("--bundle", tiny_bundle.folder, "--asr", "none", "--threads", 1)
    return lambda *arguments: run("predict", *options, *arguments)


def test_predictions_come_with_verdicts_in_every_format(predict: Run) -> None:
    arguments = ("calls/a.wav", "calls/bad.mp3", "--judge", "echo:fear")
    result = predict(*arguments, "-f", "jsonl")
    prediction = Prediction.model_validate_json(result.stdout.splitlines()[0])
    assert prediction.verdict is not None
    assert (prediction.verdict.emotion, prediction.verdict.before) == ("fear", prediction.emotion)
    assert "error" in json.loads(result.stdout.splitlines()[1])
    (row, _) = cells(predict(*arguments, "-f", "csv").stdout)
    assert (row["emotion"], row["verdict_emotion"], row["verdict_reason"]) == (
        prediction.emotion,
        "fear",
        "echo",
    )
    assert json.loads(predict(*arguments, "-f", "json").stdout)[0]["verdict"]["emotion"] == "fear"
    table = predict(*arguments, "-f", "table").stdout
    width = table.index("emotion")  # the first column wraps beside the others
    names = " ".join(line[:width].strip() for line in table.splitlines())
    assert f"judge: {prediction.emotion} → fear, 100% sure: echo" in names


def test_the_voice_is_described_where_its_pitch_can_be_tracked(predict: Run) -> None:
    pytest.importorskip("swift_f0", reason="needs the extra 'judge'")
    predict("calls/b.wav", "--judge", "echo", "--ledger", "l.sqlite")
    texts = [text for (text,) in sqlite3.connect("l.sqlite").execute("SELECT text FROM texts")]
    assert any('"voice": "' in text and "Hz" in text for text in texts)


def test_predictions_can_be_judged_later(predict: Run, run: Run) -> None:
    predict("calls", "-o", "p.jsonl")
    predict("calls", "-o", "p.csv")
    by_lines = run("judge", "p.jsonl", "-j", "echo:fear", "-f", "jsonl")
    by_cells = run("judge", "p.csv", "-j", "echo:fear", "-f", "jsonl")
    first, second = ([json.loads(line) for line in r.stdout.splitlines()] for r in (by_lines, by_cells))
    assert [r["verdict"] and r["verdict"]["emotion"] for r in first] == ["fear", "fear", None, "fear"]
    for one, other in zip(first, second, strict=True):
        if one["verdict"]:
            assert other["verdict"]["scores"] == pytest.approx(one["verdict"]["scores"], abs=1e-6)
            assert other["verdict"]["before"] == one["verdict"]["before"]


def test_a_bundles_settings_count(predict: Run, tiny_bundle: Bundle, run: Run, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.folder, folder)
    Settings(judge="off", why_off="it did not help").write(folder / "judge.json")
    write_manifest(folder, Bundle.open(folder).manifest)
    result = run("predict", "calls/a.wav", "--bundle", folder, "--asr", "none", "--judge", "echo:fear")
    assert json.loads(result.stdout)["verdict"]["status"] == "passed"
    assert "the judge is off: it did not help" in result.stderr


def test_options_of_a_judge_need_a_judge(predict: Run) -> None:
    result = predict("calls/a.wav", "--gate", "conflict")
    assert result.exit_code == 2
    assert "found no language model" in result.stderr
