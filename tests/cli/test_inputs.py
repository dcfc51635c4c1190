"""What inputs stand for, in which order, and what becomes of those that stand for nothing."""

import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from emojudge.cli.inputs import Inputs, add_transcript, add_transcripts, gather
from emojudge.errors import EmojudgeError, TranscriptError
from emojudge.records import Failure, Transcript


def ids(inputs: Inputs) -> list[str]:
    return [item.id.replace(os.sep, "/") for item in inputs.items]


def failures(inputs: Inputs) -> list[str]:
    return [item.error for item in inputs.items if isinstance(item, Failure)]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


def test_a_folder_stands_for_the_recordings_in_and_under_it(calls: Path, spool: Path) -> None:
    (calls / "movie.M4A").write_bytes(b"")
    assert ids(gather(["calls"], spool)) == [
        "calls/a.wav",
        "calls/b.wav",
        "calls/bad.mp3",
        "calls/movie.M4A",
        "calls/later/c.wav",
    ]


def test_a_folder_that_links_to_itself_is_read_once(calls: Path, spool: Path) -> None:
    (calls / "later" / "round").symlink_to(calls)
    assert len(gather(["calls"], spool).items) == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_a_pipe_in_a_folder_fails_and_is_not_waited_for(calls: Path, spool: Path) -> None:
    os.mkfifo(calls / "aa.wav")
    inputs = gather(["calls"], spool)
    assert ids(inputs)[:3] == ["calls/a.wav", "calls/aa.wav", "calls/b.wav"]
    assert failures(inputs) == ["calls/aa.wav: found no regular file; expected a recording."]


def test_a_file_named_itself_may_have_any_ending(calls: Path, spool: Path) -> None:
    assert ids(gather(["calls/notes.txt"], spool)) == ["calls/notes.txt"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("calls/*.wav", ["calls/a.wav", "calls/b.wav"]),
        ("calls/*", ["calls/a.wav", "calls/b.wav", "calls/bad.mp3", "calls/later/c.wav"]),
        ("calls/**/*.wav", ["calls/a.wav", "calls/b.wav", "calls/later/c.wav"]),
        ("calls/*.txt", ["calls/notes.txt"]),
        ("cal?s", ["calls/a.wav", "calls/b.wav", "calls/bad.mp3", "calls/later/c.wav"]),
    ],
)
def test_globs(calls: Path, spool: Path, pattern: str, expected: list[str]) -> None:
    assert ids(gather([pattern], spool)) == expected


def test_a_name_with_brackets_is_a_name_first(calls: Path, spool: Path) -> None:
    (calls / "a[1].wav").write_bytes((calls / "a.wav").read_bytes())
    assert ids(gather(["calls/a[1].wav"], spool)) == ["calls/a[1].wav"]


def test_order_is_the_order_of_the_inputs_and_nothing_is_judged_twice(calls: Path, spool: Path) -> None:
    inputs = gather(["calls/b.wav", "calls", "./calls/a.wav"], spool)
    assert ids(inputs) == ["calls/b.wav", "calls/a.wav", "calls/bad.mp3", "calls/later/c.wav"]
    assert inputs.repeated == 2


def test_an_input_that_is_not_there_fails_in_its_place(calls: Path, spool: Path) -> None:
    inputs = gather(
        ["calls/a.wav", "nothing.wav", "no*.wav", "https://example.org/a.wav", "calls/b.wav"], spool
    )
    assert ids(inputs)[1:4] == ["nothing.wav", "no*.wav", "https://example.org/a.wav"]
    missing, unmatched, address = failures(inputs)
    assert "nothing.wav: found no such file" in missing
    assert "no recording that matches" in unmatched
    assert "download it first" in address


@pytest.mark.parametrize("name", ["nothing.wav", "no*.wav", "calls/empty"])
def test_nothing_at_all_is_an_error(calls: Path, spool: Path, name: str) -> None:
    (calls / "empty").mkdir()
    with pytest.raises(EmojudgeError, match="found no"):
        gather([name], spool)


def test_a_folder_that_may_not_be_read_fails_alone(
    calls: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.scandir

    def scandir(place: str) -> object:  # not by permissions: root may read every folder
        if os.path.basename(place) == "later":
            raise PermissionError(13, "Permission denied", place)
        return really(place)

    monkeypatch.setattr(os, "scandir", scandir)
    inputs = gather(["calls"], spool)
    assert "later: found Permission denied" in failures(inputs)[0]
    assert len(inputs.utterances) == 3
    with pytest.raises(EmojudgeError, match="Permission denied"):
        gather(["calls/later"], spool)


def test_a_manifest_stands_for_its_rows(calls: Path, spool: Path) -> None:
    (calls / "table.csv").write_text("id,file,transcript,speaker\none,b.wav,you call,anna\ntwo,,never,\n")
    one, two = gather(["calls/table.csv"], spool).utterances
    assert (one.id, one.audio, one.speaker) == ("one", Path("calls/b.wav"), "anna")
    assert (two.audio, two.transcript and two.transcript.text) == (None, "never")


def test_a_manifest_that_is_wrong_fails_alone(calls: Path, spool: Path) -> None:
    (calls / "table.csv").write_text("file,gender\na.wav,robot\n")
    inputs = gather(["calls/table.csv", "calls/a.wav"], spool)
    assert ids(inputs) == ["calls/table.csv", "calls/a.wav"]
    assert "robot" in failures(inputs)[0]


def test_a_row_without_its_recording_does_not_lose_the_others(calls: Path, spool: Path) -> None:
    (calls / "table.csv").write_text("file\ngone.wav\na.wav\n")
    assert ids(gather(["calls/table.csv"], spool)) == ["gone.wav", "a.wav"]


def test_a_row_that_cannot_be_used_fails_in_its_place(calls: Path, spool: Path) -> None:
    rows = "id,text,gender\none,hm,f\ntwo,hm,robot\none,again,\nthree,hm,\n"
    (calls / "m.csv").write_text(rows)
    inputs = gather(["calls/m.csv"], spool)
    assert ids(inputs) == ["one", "calls/m.csv:3", "calls/m.csv:4", "three"]
    gender, twice = failures(inputs)
    assert "the gender 'robot'" in gender
    assert "which line 2 has too" in twice


def test_labels_of_no_emotion_do_not_stop_a_prediction(calls: Path, spool: Path) -> None:
    (calls / "m.csv").write_text("text,emotion\nhm,meh\n")
    assert ids(gather(["calls/m.csv"], spool)) == ["m:2"]


def test_ids_of_several_manifests_do_not_clash(calls: Path, spool: Path) -> None:
    for name in ("one", "two"):
        (calls / f"{name}.csv").write_text("file\na.wav\n")
    assert ids(gather(["calls/one.csv", "calls/two.csv"], spool)) == ["a.wav", "calls/two.csv:a.wav"]


def test_standard_input_is_kept_in_a_file(calls: Path, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"RIFF"), isatty=lambda: False))
    inputs = gather(["-", "-"], spool)
    assert ids(inputs) == ["stdin"]
    assert inputs.recordings[0].audio is not None
    assert inputs.recordings[0].audio.read_bytes() == b"RIFF"


def test_a_terminal_is_no_recording(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(EmojudgeError, match="found a terminal"):
        gather(["-"], spool)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_name_that_is_not_utf8_has_an_id_that_is(calls: Path, spool: Path) -> None:
    os.rename(calls / "a.wav", os.fsencode(calls) + b"/\xff.wav")
    inputs = gather(["calls"], spool)
    inputs.utterances[-1].id.encode()
    odd = next(utterance for utterance in inputs.utterances if "udcff" in utterance.id)
    assert odd.audio is not None
    assert odd.audio.exists()


# ---------------------------------------------------------------------------------------------- transcripts


def words(inputs: Inputs) -> list[str | None]:
    return [u.transcript.text if u.transcript else None for u in inputs.utterances]


def test_a_folder_of_transcripts(calls: Path, spool: Path) -> None:
    (calls / "words").mkdir()
    (calls / "words" / "a.txt").write_text("so happy")
    (calls / "words" / "c.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nnever call\n")
    inputs = gather(["calls/*.wav", "calls/later"], spool)
    assert add_transcripts(inputs, calls / "words") == 2
    assert words(inputs) == ["so happy", None, "never call"]


def test_one_file_for_one_recording_whatever_its_name(calls: Path, spool: Path) -> None:
    (calls / "other.txt").write_text("so sad")
    inputs = gather(["calls/a.wav"], spool)
    assert add_transcripts(inputs, calls / "other.txt") == 1
    assert words(inputs) == ["so sad"]


def test_one_file_for_several_recordings_is_for_the_one_of_its_name(calls: Path, spool: Path) -> None:
    (calls / "b.txt").write_text("so sad")
    inputs = gather(["calls/*.wav"], spool)
    add_transcripts(inputs, calls / "b.txt")
    assert words(inputs) == [None, "so sad"]


def test_a_manifests_own_transcript_stays(calls: Path, spool: Path) -> None:
    (calls / "table.csv").write_text("file,transcript\na.wav,mine\nb.wav,\n")
    (calls / "words.csv").write_text("file,transcript\na.wav,theirs\nb.wav,theirs\n")
    inputs = gather(["calls/table.csv"], spool)
    add_transcripts(inputs, calls / "words.csv")
    assert words(inputs) == ["mine", "theirs"]


def test_a_transcript_that_is_damaged_fails_its_recording_alone(calls: Path, spool: Path) -> None:
    (calls / "words").mkdir()
    (calls / "words" / "a.json").write_text("{")
    (calls / "words" / "b.txt").write_text("so sad")
    inputs = gather(["calls/*.wav"], spool)
    add_transcripts(inputs, calls / "words")
    assert "a.json" in failures(inputs)[0]
    assert words(inputs) == ["so sad"]


def test_transcripts_of_none_of_the_recordings_are_an_error(calls: Path, spool: Path) -> None:
    (calls / "words").mkdir()
    with pytest.raises(TranscriptError, match="no transcript of the 2 recordings"):
        add_transcripts(gather(["calls/*.wav"], spool), calls / "words")


def test_one_transcript_is_for_one_recording(calls: Path, spool: Path) -> None:
    given = Transcript(text="so happy", source="given")
    inputs = gather(["calls/a.wav"], spool)
    add_transcript(inputs, given)
    assert words(inputs) == ["so happy"]
    with pytest.raises(TranscriptError, match="2 inputs"):
        add_transcript(gather(["calls/*.wav"], spool), given)
