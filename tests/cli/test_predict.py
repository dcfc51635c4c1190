"""`emojudge predict` as people run it, with a tiny bundle of the real models' classes."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emojudge.bundle.format import Bundle
from emojudge.emotions import EMOTIONS
from emojudge.records import Failure, Prediction

Run = Callable[..., Any]
MANIFEST = (
    "id,file,transcript,speaker\n"
    "first,a.wav,I am so happy,anna\n"
    "second,,you never call,ben\n"
    "third,later/c.wav,,ben\n"
)


@pytest.fixture
def predict(run: Run, tiny_bundle: Bundle, calls: Path) -> Run:
    """`emojudge predict` with the tiny bundle, in the folder above `calls`."""
    options = ("--bundle", tiny_bundle.folder, "--asr", "none", "--threads", 1)
    return lambda *arguments, **keywords: run("predict", *options, *arguments, **keywords)


@pytest.fixture
def manifest(calls: Path) -> Path:
    (calls / "table.csv").write_text(MANIFEST)
    return calls / "table.csv"


def read(name: str) -> list[dict[str, str]]:
    with open(name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_a_recording_gives_one_line_of_json(predict: Run) -> None:
    result = predict("calls/a.wav")
    assert result.exit_code == 0
    prediction = Prediction.model_validate_json(result.stdout)
    assert prediction.id == "calls/a.wav"
    assert sum(prediction.scores.values()) == pytest.approx(1, abs=1e-5)
    assert prediction.scores[prediction.emotion] == max(prediction.scores.values())
    assert prediction.seconds == pytest.approx(1.0)
    assert prediction.modalities == ("audio",)
    assert result.stderr == ""


def test_one_bad_input_fails_alone_and_in_its_place(predict: Run) -> None:
    result = predict("calls", "gone.wav")
    assert result.exit_code == 1
    assert [row["id"] for row in rows(result.stdout)] == [
        *("calls/a.wav", "calls/b.wav", "calls/bad.mp3", "calls/later/c.wav", "gone.wav")
    ]
    assert [row["id"] for row in rows(result.stdout) if "error" in row] == ["calls/bad.mp3", "gone.wav"]
    assert "emojudge: calls/bad.mp3: found plain text; expected a recording" in result.stderr
    assert "emojudge: gone.wav: found no such file" in result.stderr
    assert "2 of 5 inputs failed" in result.stderr


def test_all_formats_say_the_same(predict: Run, manifest: Path) -> None:
    by_format = {
        name: predict(manifest, "calls/bad.mp3", "-f", name) for name in ("jsonl", "json", "csv", "table")
    }
    assert {result.exit_code for result in by_format.values()} == {1}
    lines = rows(by_format["jsonl"].stdout)
    assert json.loads(by_format["json"].stdout) == lines
    cells = list(csv.DictReader(io.StringIO(by_format["csv"].stdout, newline="")))
    for line, row in zip(lines[:3], cells, strict=False):
        prediction = Prediction.model_validate(line)
        assert (row["id"], row["emotion"]) == (prediction.id, prediction.emotion)
        assert [float(row[f"score_{e}"]) for e in EMOTIONS] == [prediction.scores[e] for e in EMOTIONS]
        assert prediction.emotion in by_format["table"].stdout
    assert cells[3]["error"] == Failure.model_validate(lines[3]).error
    assert [row["modalities"] for row in cells[:3]] == ["audio+text", "text", "audio"]


def test_words_change_the_judgement(predict: Run) -> None:
    alone = Prediction.model_validate_json(predict("calls/a.wav").stdout)
    spoken = Prediction.model_validate_json(predict("calls/a.wav", "--transcript", "never call").stdout)
    assert spoken.transcript is not None
    assert spoken.transcript.text == "never call"
    assert spoken.audio is not None
    assert alone.audio is not None
    assert spoken.audio.scores == pytest.approx(alone.audio.scores, abs=1e-5)
    assert spoken.scores != pytest.approx(alone.scores, abs=1e-3)


def test_transcripts_from_a_folder(predict: Run, calls: Path) -> None:
    (calls / "words").mkdir()
    (calls / "words" / "a.txt").write_text("so happy")
    result = predict("calls/*.wav", "--transcripts", calls / "words")
    assert [row["modalities"] for row in rows(result.stdout)] == [["audio", "text"], ["audio"]]
    assert "1 of 2 recordings found a transcript" in result.stderr


def test_a_text_alone(predict: Run) -> None:
    result = predict("--text", "you never call")
    assert result.exit_code == 0
    prediction = Prediction.model_validate_json(result.stdout)
    assert (prediction.modalities, prediction.audio, prediction.seconds) == (("text",), None, None)
    assert prediction.attributes_from["valence"] == "model"


def test_a_recording_on_standard_input(predict: Run, calls: Path) -> None:
    piped = predict("-", stdin=(calls / "a.wav").read_bytes())
    named = predict("calls/a.wav")
    assert rows(piped.stdout)[0] == {**rows(named.stdout)[0], "id": "stdin"}
    broken = predict("-", stdin=b"Dear Sir,")
    assert broken.exit_code == 1
    assert rows(broken.stdout)[0]["error"].startswith("stdin: found plain text")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "predict: found no input"),
        (("gone.wav",), "gone.wav: found no such file"),
        (("--text", " "), "--text: found an empty text"),
        (("calls/a.wav", "--text", "so"), "use --transcript"),
        (("calls/a.wav", "calls/b.wav", "--transcript", "so"), "found 2 inputs; expected one recording"),
        (("calls/a.wav", "--transcript", "so", "--transcripts", "calls"), "expected one of the two"),
        (("calls/a.wav", "-o", "out.xlsx"), "found the suffix '.xlsx'"),
        (("calls/a.wav", "-o", "gone/out.csv"), "gone/out.csv: found No such file or directory"),
        (("calls/a.wav", "-o", f"{'x' * 300}.csv"), "found File name too long"),
        (("",), "'': found no such file"),
        (("calls/a.wav", "--asr", "moonshin"), "Did you mean 'moonshine'"),
        (("calls/a.wav", "--bundle", "calls"), "Is it a bundle?"),
        (("calls", "--adapt", "speaker"), "found 4 recordings without a speaker, such as calls/a.wav"),
        (("calls/a.wav", "--format", "yaml"), "--format"),
        (("calls/a.wav", "--threads", "-1"), "--threads"),
        (("calls/a.wav", "--threads", "99999999999"), "--threads"),
    ],
)
def test_usage_errors_say_what_to_do_and_print_no_data(
    predict: Run, arguments: tuple[str], message: str
) -> None:
    result = predict(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("group", "said"), [("collection", "to the collection"), ("speaker", "by speaker (2 sp")]
)
def test_adaptation_changes_voices_and_says_so(predict: Run, manifest: Path, group: str, said: str) -> None:
    plain, adapted = predict(manifest), predict(manifest, "--adapt", group)
    assert adapted.exit_code == 0
    assert f"adapted {said}" in adapted.stderr
    assert "2 recordings" in adapted.stderr
    before, after = rows(plain.stdout), rows(adapted.stdout)
    assert [row["id"] for row in after] == ["first", "second", "third"]
    assert [row["adapted"] for row in after] == [group, None, group]
    assert after[0]["audio"]["logits"] != pytest.approx(before[0]["audio"]["logits"], abs=1e-4)
    assert after[1]["scores"] == pytest.approx(before[1]["scores"], abs=1e-5)


def test_a_row_without_a_speaker_fails_alone(predict: Run, manifest: Path) -> None:
    manifest.write_text(MANIFEST + "fourth,b.wav,,\n")
    result = predict(manifest, "--adapt", "speaker")
    assert result.exit_code == 1
    assert [row["id"] for row in rows(result.stdout) if "error" in row] == ["fourth"]
    assert "emojudge: fourth: found no speaker; expected one for every recording" in result.stderr
    assert "adapted by speaker (2 speakers): the voices of 2 recordings" in result.stderr


def test_adaptation_of_words_alone_says_that_it_does_nothing(predict: Run) -> None:
    result = predict("--text", "you never call", "--adapt", "collection")
    assert result.exit_code == 0
    assert Prediction.model_validate_json(result.stdout).adapted is None
    assert "nothing was adapted: no voice was judged" in result.stderr


def test_a_file_is_whole_or_as_it_was(predict: Run, calls: Path) -> None:
    Path("out.csv").write_text("before")
    assert predict("gone.wav", "-o", "out.csv").exit_code == 2
    assert Path("out.csv").read_text() == "before"
    result = predict("calls", "-o", "out.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(read("out.csv")) == 4
    assert not list(Path().glob("*.partial"))


@pytest.mark.parametrize("output", ["calls/a.wav", "calls/table.csv", "./calls/../calls/b.txt", "link.csv"])
def test_no_input_is_written_over(predict: Run, calls: Path, manifest: Path, output: str) -> None:
    (calls / "b.txt").write_text("so sad")
    Path("link.csv").symlink_to(calls / "table.csv")
    before = Path(output).read_bytes()
    result = predict(manifest, "calls/b.wav", "--transcripts", "calls/b.txt", "-f", "csv", "-o", output)
    assert result.exit_code == 2
    assert f"{Path(output)}: found one of the inputs; expected another file to write" in result.stderr
    assert Path(output).read_bytes() == before


def test_a_missing_transcriber_is_said_once(
    run: Run, tiny_bundle: Bundle, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emojudge.recognizer.load_transcriber", lambda spec, language: None)
    result = run("predict", "calls/*.wav", "--bundle", tiny_bundle.folder)
    assert result.exit_code == 0
    assert result.stderr.count("no transcriber was found") == 1
    quiet = run("predict", "calls/a.wav", "--transcript", "so", "--bundle", tiny_bundle.folder)
    assert quiet.stderr == ""


# ------------------------------------------------------------------------------------------------- processes


def command(tiny_bundle: Bundle, *arguments: str) -> list[str]:
    program = "import sys; from emojudge.cli.main import main; main()"
    options = ("--bundle", str(tiny_bundle.folder), "--asr", "none", "--threads", "1")
    return [sys.executable, "-c", program, "predict", *options, *arguments]


def test_prediction_needs_no_torch(tiny_bundle: Bundle, calls: Path) -> None:
    program = (
        "import sys\n"
        "from emojudge.cli.main import app\n"
        f"app({command(tiny_bundle, 'calls/a.wav')[3:]!r}, standalone_mode=False)\n"
        "print([m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == "[]"
    Prediction.model_validate_json(result.stdout)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_control_c_keeps_what_was_done(tiny_bundle: Bundle, calls: Path) -> None:
    names = [f"calls/{number}.wav" for number in range(2000)]
    for name in names:
        os.link("calls/b.wav", name)
    process = subprocess.Popen(
        command(tiny_bundle, *names),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Shells start what runs in the background deaf to Ctrl-C, and tests may run there.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    with process.stdout, process.stderr:  # `communicate` would lose what `readline` has read ahead
        rest, stderr = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=60) == 130
    assert "Traceback" not in stderr
    assert "interrupted when" in stderr
    done = [Prediction.model_validate_json(line) for line in [first, *rest.splitlines()]]
    assert [prediction.id for prediction in done] == names[: len(done)]
    assert len(done) < len(names)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_file_that_was_killed_goes_on_with_what_was_predicted(
    predict: Run, tiny_bundle: Bundle, calls: Path
) -> None:
    for number in range(1000):
        os.link("calls/b.wav", f"calls/{number}.wav")
    process = subprocess.Popen([*command(tiny_bundle, "calls/*.wav"), "-o", "out.csv"])
    kept = Path("out.csv.heard")
    while not (kept.exists() and kept.stat().st_size):
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not Path("out.csv").exists()
    lines = kept.read_bytes().count(b"\n")
    result = predict("calls/*.wav", "-o", "out.csv")
    assert result.exit_code == 0
    assert f"emojudge: out.csv: goes on with {lines} prediction" in result.stderr
    assert predict("calls/*.wav", "-o", "straight.csv").exit_code == 0
    pairs = zip(read("out.csv"), read("straight.csv"), strict=True)
    for found, expected in pairs:  # in batches of others, which round otherwise
        assert (found["id"], found["emotion"]) == (expected["id"], expected["emotion"])
        assert float(found["score_sad"]) == pytest.approx(float(expected["score_sad"]), abs=1e-5)
    assert {path.name for path in Path().iterdir()} == {"calls", "out.csv", "straight.csv"}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_reader_that_leaves_is_no_error(tiny_bundle: Bundle, calls: Path) -> None:
    names = [f"calls/{number}.wav" for number in range(300)]
    for name in names:
        os.link("calls/b.wav", name)
    process = subprocess.Popen(command(tiny_bundle, *names), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert stderr == b""
