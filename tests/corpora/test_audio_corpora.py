"""EMO-DB, EmoGator, RAVDESS and nEMO: what their file names say."""

from pathlib import Path

import pytest

from emojudge.corpora import emodb, emogator, nemo, ravdess
from emojudge.errors import CorpusError

ONE_OF_EACH = [
    (emodb, "wav/03a01Fa.wav"),
    (emogator, "data/mp3/000001-02-1.mp3"),
    (ravdess, "Actor_12/03-01-05-02-01-02-12.wav"),
    (nemo, "samples/WR0_surprised_64.wav"),
]
READERS = [reader for reader, _ in ONE_OF_EACH]


def test_emodb(place):
    folder = place("wav/03a01Fa.wav", "wav/16b10Lb.wav", "wav/08a02N.wav", "erklaerung.txt")
    happy, neutral, bored = emodb.load(folder)
    assert happy.id == "emodb:03a01Fa"
    assert happy.audio == folder / "wav/03a01Fa.wav"
    assert (happy.emotion, happy.speaker, happy.gender, happy.language) == ("happy", "emodb:03", "male", "de")
    assert happy.transcript is not None
    assert happy.transcript.text == "Der Lappen liegt auf dem Eisschrank."
    assert (neutral.id, neutral.emotion, neutral.gender) == ("emodb:08a02N", "neutral", "female")
    assert bored.id == "emodb:16b10Lb"
    assert bored.emotion is None


@pytest.mark.parametrize(
    ("letter", "emotion"),
    list(zip("WLEAFTN", ["angry", None, "disgust", "fear", "happy", "sad", "neutral"], strict=True)),
)
def test_emodb_letters(letter: str, emotion: str | None, place):
    assert emodb.load(place(f"wav/03a01{letter}a.wav"))[0].emotion == emotion


@pytest.mark.parametrize(
    ("category", "emotion", "label"),
    [
        ("01", None, "adoration"),
        ("02", "happy", "amusement"),
        ("03", "angry", None),
        ("06", "contempt", None),
        ("10", "disgust", None),
        ("12", "happy", "ecstasy"),
        ("13", "happy", "elation"),
        ("15", "fear", None),
        ("18", "neutral", None),
        ("22", None, "relief"),
        ("24", "sad", None),
        ("27", "surprise", "surprise (negative)"),
        ("28", "surprise", "surprise (positive)"),
        ("30", None, "triumph"),
    ],
)
def test_emogator_categories(category: str, emotion: str | None, label: str | None, place):
    (burst,) = emogator.load(place(f"data/mp3/000357-{category}-3.mp3"))
    assert (burst.id, burst.emotion, burst.label) == (f"emogator:000357-{category}-3", emotion, label)
    assert (burst.speaker, burst.transcript, burst.gender) == ("emogator:000357", None, None)


def test_ravdess(place):
    folder = place("Actor_12/03-01-05-02-01-02-12.wav", "Actor_01/03-01-02-01-02-01-01.wav")
    calm, angry = ravdess.load(folder)
    assert (angry.emotion, angry.gender, angry.speaker) == ("angry", "female", "ravdess:12")
    assert angry.transcript is not None
    assert angry.transcript.text == "Kids are talking by the door"
    assert (calm.emotion, calm.gender, calm.speaker) == ("neutral", "male", "ravdess:01")
    assert [(u.label, u.intensity) for u in (calm, angry)] == [("calm", "normal"), (None, "strong")]
    assert calm.transcript is not None
    assert calm.transcript.text == "Dogs are sitting by the door"


def test_ravdess_song_is_returned_without_an_emotion(place):
    song, speech = ravdess.load(place("a/03-02-05-02-01-02-12.wav", "b/03-01-05-02-01-02-12.wav"))[::-1]
    assert (speech.emotion, song.emotion, song.label) == ("angry", None, "song")


HEADER = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
ROW = "WR0_surprised_64.wav\tsurprised\tUcho słyszy „dźwięk”.\tucho słyszy dźwięk\t        WR0\tmale\t23\n"


def test_nemo(place):
    folder = place("samples/WR0_surprised_64.wav")
    (folder / "data.tsv").write_text(HEADER + ROW, encoding="utf-8")
    (utterance,) = nemo.load(folder)
    assert (utterance.id, utterance.emotion) == ("nemo:WR0_surprised_64", "surprise")
    assert (utterance.speaker, utterance.gender, utterance.language) == ("nemo:WR0", "male", "pl")
    assert utterance.transcript is not None
    assert utterance.transcript.text == "Ucho słyszy „dźwięk”."


def test_nemo_without_its_table_has_no_transcripts_and_says_so(place, caplog):
    (utterance,) = nemo.load(place("samples/EB0_anger_1.wav"))
    assert (utterance.transcript, utterance.gender, utterance.emotion) == (None, "female", "angry")
    assert "no data.tsv" in caplog.text


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (
            ["samples/EB0_anger_1.wav"],
            r"1 rows without audio \(WR0_surprised_64\), 1 recordings without a row",
        ),
        (
            ["samples/EB0_anger_1.wav", "samples/WR0_surprised_64.wav"],
            "0 rows without audio.*nemo:EB0_anger_1",
        ),
    ],
)
def test_nemo_whose_table_and_audio_differ(files: list[str], found: str, place):
    folder = place(*files)
    (folder / "data.tsv").write_text(HEADER + ROW, encoding="utf-8")
    with pytest.raises(CorpusError, match=found):
        nemo.load(folder)


def test_nemo_table_without_its_columns(place):
    folder = place("samples/WR0_surprised_64.wav")
    (folder / "data.tsv").write_text("file\ttext\nWR0_surprised_64.wav\tUcho.\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"data\.tsv:2: .*file_id and raw_text"):
        nemo.load(folder)


@pytest.mark.parametrize(("reader", "name"), ONE_OF_EACH)
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".opus", ".ogg", ".WAV"])
def test_any_audio_suffix_at_any_depth(reader, name: str, suffix: str, place):
    (deep,) = reader.load(place(str(Path("audio/part 1", Path(name).with_suffix(suffix).name))))
    assert deep.audio is not None
    assert deep.audio.suffix == suffix


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (emodb, "17a01Fa"),  # no such speaker
        (emodb, "03a03Fa"),  # no such sentence
        (emodb, "03a01Xa"),
        (emodb, "03a01Fa copy"),
        (emogator, "000001-31-1"),
        (emogator, "000001-00-1"),
        (emogator, "000001-02-4"),
        (ravdess, "03-01-09-01-01-01-01"),
        (ravdess, "03-01-01-01-01-01-25"),
        (ravdess, "03-01-01-01-01-01-00"),
        (nemo, "WR0_joy_64"),
        (nemo, "XX0_anger_64"),
    ],
)
def test_name_that_does_not_parse(reader, name: str, place):
    with pytest.raises(CorpusError, match=f"1 of 1 audio files with other names: {name}"):
        reader.load(place(f"{name}.wav"))


@pytest.mark.parametrize("reader", READERS)
def test_strange_names_are_counted_and_the_first_few_are_shown(reader, place):
    names = [f"{n}.wav" for n in "abcde"]
    with pytest.raises(CorpusError, match=r"found 5 of 5 .*: a\.wav, b\.wav, c\.wav and 2 more; expected"):
        reader.load(place(*names))


@pytest.mark.parametrize(("reader", "name"), ONE_OF_EACH)
def test_a_corpus_that_is_there_twice_is_refused(reader, name: str, place):
    with pytest.raises(CorpusError, match="1 utterances more than once"):
        reader.load(place(name, f"again/{name}"))


@pytest.mark.parametrize(("reader", "name"), ONE_OF_EACH)
def test_hidden_and_other_files_are_not_audio(reader, name: str, place):
    path = Path(name)
    folder = place(name, str(path.parent / f"._{path.name}"), ".cache/x.wav", "README.md", "wav.txt")
    assert len(reader.load(folder)) == 1


def test_linked_folders_are_followed_but_not_in_circles(place, tmp_path_factory: pytest.TempPathFactory):
    folder = place("real/03a01Fa.wav")
    (folder / "real/loop").symlink_to(folder, target_is_directory=True)
    assert len(emodb.load(folder)) == 1
    elsewhere = tmp_path_factory.mktemp("links")
    (elsewhere / "wav").symlink_to(folder / "real", target_is_directory=True)
    assert len(emodb.load(elsewhere)) == 1


def test_order_is_by_name_wherever_the_files_lie(place):
    folder = place("z/03a01Fa.wav", "a/08a01Fa.wav", "m/03a01Nc.wav")
    assert [u.id for u in emodb.load(folder)] == ["emodb:03a01Fa", "emodb:03a01Nc", "emodb:08a01Fa"]


def test_a_file_instead_of_a_folder(place):
    with pytest.raises(CorpusError, match="no such folder"):
        emodb.load(place("03a01Fa.wav") / "03a01Fa.wav")
