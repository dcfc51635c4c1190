"""Transcripts brought along: every format, the ways to name a recording, and files that mean harm."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emojudge.audio import transcripts
from emojudge.audio.transcripts import Transcripts, read_transcript
from emojudge.errors import TranscriptError
from emojudge.records import Segment, Transcript

EXAMPLES = Path(__file__).parents[2] / "examples"
SUFFIXES = ("txt", "srt", "vtt", "json")

VTT = """WEBVTT - a call
Kind: captions

STYLE
::cue { color: red }

NOTE two lines that
nobody says

intro
00:01.000 --> 00:02.500 align:start
<v.loud Ann Lee>Yes &amp; <i>no</i>.</v> <v Bob>Oh,
<00:00:02.000>come on!</v>

01:00:00.000 --> 01:00:01.000
[SPEAKER_01]: &lt;hm&gt;

00:03.000 --> 00:04.000
<b> </b>
"""


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def said(*segments: tuple[float, float, str, str | None]) -> tuple[Segment, ...]:
    return tuple(Segment(start=a, end=b, text=text, speaker=speaker) for a, b, text, speaker in segments)


class TestText:
    @pytest.mark.parametrize(
        "content",
        [
            b"Don't you dare!",
            b"\xef\xbb\xbfDon't you\r\ndare!\r\n",
            b"\n\n  Don't\tyou \r dare!  ",
            "Don't\u2028you\xa0dare!".encode(),
        ],
        ids=["plain", "bom", "blank", "unicode"],
    )
    def test_is_one_line_of_words(self, tmp_path: Path, content: bytes) -> None:
        transcript = read_transcript(write(tmp_path, "a.TXT", content))
        assert transcript == Transcript(text="Don't you dare!", source="file:a.TXT")

    @pytest.mark.parametrize("suffix", SUFFIXES[:3])
    @pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\n"])
    def test_nothing_said_is_an_empty_text(self, tmp_path: Path, suffix: str, content: bytes) -> None:
        transcript = read_transcript(write(tmp_path, f"a.{suffix}", content))
        assert (transcript.text, transcript.segments) == ("", ())

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize(
        ("content", "found"),
        [
            ("Été".encode("latin-1"), "byte 0xc9 at 0"),
            ("So".encode("utf-16"), "byte 0xff at 0"),
            ("So".encode("utf-16-le"), "NUL character at 1"),
        ],
    )
    def test_another_encoding_is_refused(
        self, tmp_path: Path, suffix: str, content: bytes, found: str
    ) -> None:
        with pytest.raises(TranscriptError, match=rf"a\.{suffix}: found .*{found}.*Save it again as UTF-8"):
            read_transcript(write(tmp_path, f"a.{suffix}", content))

    def test_files_that_cannot_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(TranscriptError, match=r"\.docx.*expected one of \.txt, \.srt, \.vtt, \.json"):
            read_transcript(write(tmp_path, "a.docx", ""))
        with pytest.raises(TranscriptError, match="No such file"):
            read_transcript(tmp_path / "none.txt")
        with pytest.raises(TranscriptError, match="null"):
            read_transcript(Path("a\0.txt"))
        (tmp_path / "folder.txt").mkdir()
        with pytest.raises(TranscriptError, match="no regular file"):
            read_transcript(tmp_path / "folder.txt")
        monkeypatch.setattr(transcripts, "MAX_BYTES", 2**20)
        write(tmp_path, "full.txt", "a" * 2**20)
        assert len(read_transcript(tmp_path / "full.txt").text) == 2**20
        with pytest.raises(TranscriptError, match="more than 1 MB"):
            read_transcript(write(tmp_path, "large.txt", "a" * (2**20 + 1)))

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
    def test_a_pipe_does_not_hang(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.txt")
        with pytest.raises(TranscriptError, match="no regular file"):
            read_transcript(tmp_path / "pipe.txt")

    def test_a_name_that_is_not_text(self, tmp_path: Path) -> None:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt"))
        try:
            path.write_text("hello")
        except OSError:
            pytest.skip("this file system refuses such names")
        assert read_transcript(path).model_dump_json()


class TestSrt:
    def test_the_example(self) -> None:
        transcript = read_transcript(EXAMPLES / "two_voices.srt")
        assert transcript.source == "file:two_voices.srt"
        assert {segment.speaker for segment in transcript.segments} == {"caller", "agent"}
        assert transcript.segments[1].text == "My parcel is lost again, and this is the third time!"
        assert transcript.text == " ".join(segment.text for segment in transcript.segments)

    def test_what_is_found_in_the_wild(self, tmp_path: Path) -> None:
        content = (
            "\n1\n00:00:01,000 --> 00:00:02,50 X1:40 Y1:20\n{\\an8}<font color='red'>Where</font>\n"
            "<i>are</i>\n\nyou?\n"
            "2\n0:01:00.000-->01:00:00,000\n[SPEAKER_00]: 42\n\n3\n00:00:09,000 --> 00:00:09,000\n\n"
            "4\n00:00:10,000 --> 00:00:11,000\n<laughs> 7 < 8"
        )
        transcript = read_transcript(write(tmp_path, "a.srt", content.replace("\n", "\r\n")))
        assert transcript.segments == said(
            (1.0, 2.5, "Where are you?", None),
            (60.0, 3600.0, "42", "SPEAKER_00"),
            (10.0, 11.0, "<laughs> 7 < 8", None),
        )

    @pytest.mark.parametrize(
        ("content", "where"),
        [
            ("1\n00:00:01,000 --> 00:00:0x,000\nhello", "a.srt, line 2"),
            (
                "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:99:01,000 --> 00:99:02,000\n",
                "a.srt, line 6",
            ),
            ("1\n00:00:02,000 --> 00:00:01,000\nhello", "a.srt, line 2: .* not before"),
            ("1\n٠٠:٠٠:٠١,٠٠٠ --> 00:00:02,000\nhello", "a.srt, line 2"),
            ("Just some words.", "a.srt: found 'Just some words.'"),
            ("Title\n1\n00:00:01,000 --> 00:00:02,000\nhello", "a.srt: found 'Title'"),
        ],
    )
    def test_faults_are_named_by_line(self, tmp_path: Path, content: str, where: str) -> None:
        with pytest.raises(TranscriptError, match=where):
            read_transcript(write(tmp_path, "a.srt", content))

    @given(
        cues=st.lists(
            st.tuples(
                st.integers(0, 10**7),
                st.integers(0, 10**6),
                st.text("abc é'!?", min_size=1).map(str.split).map(" ".join).filter(bool),
            ),
            max_size=5,
        )
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
    def test_what_was_written_is_read(self, tmp_path: Path, cues: list[tuple[int, int, str]]) -> None:
        def stamp(ms: int, comma: str) -> str:
            return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{comma}{ms % 1000:03}"

        wanted = [(a, a + b, text) for a, b, text in cues]
        for suffix, head, comma in (("srt", "", ","), ("vtt", "WEBVTT\n\n", ".")):
            content = head + "".join(
                f"{n}\n{stamp(a, comma)} --> {stamp(b, comma)}\n{text}\n\n"
                for n, (a, b, text) in enumerate(wanted, start=1)
            )
            segments = read_transcript(write(tmp_path, f"a.{suffix}", content)).segments
            assert [(round(1000 * s.start), round(1000 * s.end), s.text) for s in segments] == wanted


class TestVtt:
    def test_voices_notes_styles_and_entities(self, tmp_path: Path) -> None:
        assert read_transcript(write(tmp_path, "a.vtt", "\ufeff" + VTT)).segments == said(
            (1.0, 2.5, "Yes & no.", "Ann Lee"),
            (1.0, 2.5, "Oh, come on!", "Bob"),
            (3600.0, 3601.0, "<hm>", "SPEAKER_01"),
        )

    def test_a_cue_right_under_the_header_or_another_cue(self, tmp_path: Path) -> None:
        content = "WEBVTT\n00:01.000 --> 00:02.000\none\n00:02.000 --> 00:03.000\ntwo"
        assert read_transcript(write(tmp_path, "a.vtt", content)).text == "one two"

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            ("00:01.000 --> 00:02.000\nhello", "expected WEBVTT in the first line"),
            ("WEBVTTX\n\n00:01.000 --> 00:02.000\nhello", "expected WEBVTT in the first line"),
            ("WEBVTT\n\n00:01 --> 00:02\nhello", "line 3"),
            ("WEBVTT\n\n00:02.000 --> 00:01.000\nhello", "line 3.*not before"),
            ("WEBVTT\n\nhello\n\n00:01.000 --> 00:02.000\nyou", "no cue after 'hello'"),
        ],
    )
    def test_faults(self, tmp_path: Path, content: str, found: str) -> None:
        with pytest.raises(TranscriptError, match=found):
            read_transcript(write(tmp_path, "a.vtt", content))

    @pytest.mark.parametrize(
        "hostile",
        ["<v " * 300_000, "<v" + " " * 10**6, "&#" + "9" * 10**6 + ";", "{\\" * 500_000, "[" * 10**6],
    )
    def test_no_text_makes_it_slow(self, tmp_path: Path, hostile: str) -> None:
        before = time.process_time()
        for name, head in (("a.vtt", "WEBVTT\n\n"), ("a.srt", "")):
            read_transcript(write(tmp_path, name, f"{head}00:01.000 --> 00:02.000\n{hostile}"))
        assert time.process_time() - before < 5


class TestJson:
    def test_whisper(self, tmp_path: Path) -> None:
        content = {
            "text": " Well,  no. Never! ",
            "segments": [
                {
                    "id": 0,
                    "start": 0,
                    "end": 1.5,
                    "text": " Well, no.",
                    "tokens": [1, 2],
                    "avg_logprob": -0.2,
                },
                {"id": 1, "start": 1.5, "end": 2.0, "text": " Never!", "words": [{"word": "Never"}]},
                {"id": 2, "start": 2.0, "end": 2.0, "text": " "},
            ],
            "language": "en",
        }
        assert read_transcript(write(tmp_path, "a.json", json.dumps(content))) == Transcript(
            text="Well, no. Never!",
            source="file:a.json",
            language="en",
            segments=said((0.0, 1.5, "Well, no.", None), (1.5, 2.0, "Never!", None)),
        )

    def test_whisperx(self, tmp_path: Path) -> None:
        content = {
            "segments": [
                {"start": 0.1, "end": 1.5, "text": "Well, no.", "speaker": "SPEAKER_01", "words": []},
                {"start": 1.5, "end": 2.0, "text": "Never!"},
            ],
            "word_segments": [{"word": "Well,", "start": 0.1, "end": 0.3, "score": 0.9}],
        }
        transcript = read_transcript(write(tmp_path, "a.json", "\ufeff" + json.dumps(content)))
        assert transcript.text == "Well, no. Never!"
        assert [segment.speaker for segment in transcript.segments] == ["SPEAKER_01", None]

    def test_text_alone_or_segments_alone_may_be_empty(self, tmp_path: Path) -> None:
        assert read_transcript(write(tmp_path, "a.json", '{"text": "Hm."}')).text == "Hm."
        assert read_transcript(write(tmp_path, "a.json", '{"segments": []}')).text == ""

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            ("", "the file"),
            ("{", "the file"),
            ("[]", "the file"),
            ("null", "the file"),
            ("NaN", "the file"),
            ("{}", "neither 'text' nor 'segments'"),
            ('{"text": null}', "neither 'text' nor 'segments'"),
            ('{"text": 5}', "text"),
            ('{"text": "\\ud800"}', "the file"),
            ('{"text": "a", "language": ["en"]}', "language"),
            ('{"segments": {}}', "segments"),
            ('{"segments": [null]}', "segments.0"),
            ('{"segments": [{"start": 0, "text": "a"}]}', "segments.0.end"),
            ('{"segments": [{"start": "0", "end": 1, "text": "a"}]}', "segments.0.start"),
            ('{"segments": [{"start": true, "end": 1, "text": "a"}]}', "segments.0.start"),
            ('{"segments": [{"start": -1, "end": 1, "text": "a"}]}', "segments.0.start"),
            ('{"segments": [{"start": NaN, "end": 1, "text": "a"}]}', "segments.0.start|the file"),
            ('{"segments": [{"start": 0, "end": 1e999, "text": "a"}]}', "segments.0.end"),
            (
                '{"segments": [{"start": 0, "end": ' + "9" * 5000 + ', "text": "a"}]}',
                "segments.0.end|the file",
            ),
            ('{"segments": [{"start": 2, "end": 1, "text": "a"}]}', "an end before the start"),
            ('{"segments": [{"start": 0, "end": 1, "text": "a", "speaker": 1}]}', "segments.0.speaker"),
            ('{"x": ' + "[" * 10**6, "the file"),
            ('{"x": ' * 10**5 + "1" + "}" * 10**5, "the file"),
        ],
        ids=range(23),
    )
    def test_faults_are_named_by_place(self, tmp_path: Path, content: str, found: str) -> None:
        with pytest.raises(TranscriptError, match=f"a.json: found in .*({found})"):
            read_transcript(write(tmp_path, "a.json", content))


CUE_SCRAPS = (
    "WEBVTT\n\n",
    "00:01.000 --> 00:02.000\n",
    "1\n",
    "\n\n",
    "-->",
    "<v A>",
    "</v>",
    "&amp;",
    "[A]: b",
)
JSON_SCRAPS = (
    '{"segments": [',
    '{"start": 0, "end": 1, "text": "a"}',
    "]}",
    '{"text": "',
    '"}',
    "[",
    ",",
    "\\u",
)
TABLE_SCRAPS = ("file,text\n", "a.wav,hello\n", '"', ";", "\t", "\0", "\ufeff", "9" * 400, "é", "\x85", "\r")
SCRAPS = st.lists(st.sampled_from([*CUE_SCRAPS, *JSON_SCRAPS, *TABLE_SCRAPS]), max_size=12).map("".join)


@pytest.mark.parametrize("suffix", [*SUFFIXES, "csv", "tsv"])
@given(content=st.binary(max_size=200) | SCRAPS.map(str.encode))
@example(content=b"\xed\xa0\x80")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_any_file_gives_a_transcript_or_a_transcript_error(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = write(tmp_path, f"a.{suffix}", content)
    try:
        transcript = Transcripts.load(path).find(Path("a.wav"))
    except TranscriptError:
        return
    if transcript:
        assert Transcript.model_validate_json(transcript.model_dump_json()) == transcript


class TestFolder:
    def test_a_file_for_each_recording(self, tmp_path: Path) -> None:
        write(tmp_path, "Transcripts/MSP-PODCAST_0001_0008.txt", "Hello.\n")
        write(tmp_path, "Transcripts/MSP-PODCAST_0001_0009.txt", "")
        write(tmp_path, "Transcripts/.MSP-PODCAST_0001_0010.txt", "hidden")
        write(tmp_path, "Transcripts/README.md", "not one")
        found = Transcripts.load(tmp_path / "Transcripts")
        first = found.find(tmp_path / "Audios" / "MSP-PODCAST_0001_0008.wav")
        assert first == Transcript(text="Hello.", source="file:MSP-PODCAST_0001_0008.txt")
        empty = found.find(Path("MSP-PODCAST_0001_0009.wav"))
        assert empty is not None
        assert empty.text == ""
        for name in (
            "MSP-PODCAST_0001_0010.wav",
            "README.wav",
            "MSP-PODCAST_0001.wav",
            "msp-podcast_0001_0008.wav",
        ):
            assert found.find(Path(name)) is None

    def test_folders_tell_recordings_apart(self, tmp_path: Path) -> None:
        write(tmp_path, "one/a.txt", "first")
        write(tmp_path, "two/a.srt", "1\n00:00:01,000 --> 00:00:02,000\nsecond")
        write(tmp_path, "two/b.txt", "third")
        found = Transcripts.load(tmp_path)
        texts = [found.find(Path(name)) for name in ("/data/one/a.wav", "two/a.wav", "/data/three/b.wav")]
        assert [transcript and transcript.text for transcript in texts] == ["first", "second", "third"]
        with pytest.raises(
            TranscriptError, match=r"three/a\.wav: found 2 transcripts .*one.*two.*expected one"
        ):
            found.find(Path("/data/three/a.wav"))
        with pytest.raises(TranscriptError, match=r"found 2 transcripts"):
            found.find(Path("a.wav"))

    def test_two_formats_of_one_transcript_are_an_error_for_that_recording_alone(
        self, tmp_path: Path
    ) -> None:
        for name in ("a.txt", "a.json", "b.wav.txt"):
            write(tmp_path, name, '{"text": "hm"}')
        found = Transcripts.load(tmp_path)
        with pytest.raises(TranscriptError, match=r"a\.json.*a\.txt"):
            found.find(Path("a.wav"))
        for name in ("b.wav", "b.flac"):
            assert found.find(Path(name)) is not None

    def test_a_bad_file_fails_for_its_recording_alone(self, tmp_path: Path) -> None:
        write(tmp_path, "a.json", "{")
        write(tmp_path, "b.json", '{"text": "hm"}')
        found = Transcripts.load(tmp_path)
        assert found.find(Path("b.wav")) is not None
        with pytest.raises(TranscriptError, match=r"a\.json"):
            found.find(Path("a.wav"))

    def test_dots_and_accents_in_names(self, tmp_path: Path) -> None:
        for name in ("call.2024.txt", "call.2025.txt", "Ame\u0301lie.txt"):
            write(tmp_path, name, name)
        found = Transcripts.load(tmp_path)
        for name in ("call.2025.wav", "call.2025"):
            call = found.find(Path(name))
            assert call is not None
            assert call.text == "call.2025.txt"
        assert found.find(Path("call.wav")) is None
        assert found.find(Path("Am\xe9lie.wav")) is not None


class TestTable:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("t.csv", 'FileName,Transcript\na.wav,"Oh, no!"\nb.wav,\n'),
            ("t.csv", '\ufefftext; file ;speaker\r\n"Oh, no!";a.wav;1\r\n\r\n;b.wav;2\r\n'),
            ("t.tsv", "path\ttext\ncorpus\\a.wav\tOh, no!\nb.wav\t \n"),
            ("t.csv", 'audio,transcript\na,"Oh,\nno!"\nb,'),
        ],
    )
    def test_columns_are_recognised(self, tmp_path: Path, name: str, content: str) -> None:
        found = Transcripts.load(write(tmp_path, name, content))
        assert found.find(Path("/data/corpus/a.wav")) == Transcript(text="Oh, no!", source=f"file:{name}")
        assert found.find(Path("b.flac")) == Transcript(text="", source=f"file:{name}")
        assert found.find(Path("c.wav")) is None

    def test_columns_can_be_named(self, tmp_path: Path) -> None:
        path = write(tmp_path, "t.csv", "file,clip,text,corrected\nx,a.wav,wrong,right\n")
        found = Transcripts.load(path, file_column="clip", text_column="corrected").find(Path("a.wav"))
        assert found is not None
        assert found.text == "right"

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            ("", "no header"),
            ("clip,words\na,b\n", "columns clip, words; expected one column with the recordings' names"),
            ("file,words\na,b\n", "columns file, words; expected one column with the transcripts"),
            ("file,path,text\na,b,c\n", "columns file, path, text; expected one column"),
            ("file,text\na.wav,Oh, no!\n", "line 2: found 3 fields; expected 2 fields"),
            ("file,text\na.wav\n", "line 2: found 1 fields"),
            ("file,text\n ,hello\n", "line 2: found no recording's name"),
            ('file,text\na.wav,"hello\nb.wav,you\n', "unexpected end of data"),
            ('file,text\na.wav,"Yes," she said\n', "line 2"),
            ("file,text\na.wav," + "x" * 200_000, "field larger than field limit"),
        ],
    )
    def test_faults(self, tmp_path: Path, content: str, found: str) -> None:
        with pytest.raises(TranscriptError, match=rf"t\.csv.*{found}"):
            Transcripts.load(write(tmp_path, "t.csv", content))
        with pytest.raises(TranscriptError, match="expected one column 'nope'"):
            Transcripts.load(write(tmp_path, "t.csv", "file,text\n"), file_column="nope")

    def test_a_name_given_twice_is_an_error_for_that_recording_alone(self, tmp_path: Path) -> None:
        rows = "file,text\none/a.wav,1\ntwo/a.wav,2\nb.wav,3\nb.wav,4\nc.wav,5\nc.mp3,6\nd.mp3,7\n"
        found = Transcripts.load(write(tmp_path, "t.csv", rows))
        for audio, text in (("/x/two/a.wav", "2"), ("one/a.flac", "1"), ("c.mp3", "6"), ("d.wav", "7")):
            transcript = found.find(Path(audio))
            assert transcript is not None
            assert transcript.text == text
        for audio in ("b.wav", "a.wav", "c.flac"):
            with pytest.raises(TranscriptError, match=r"found 2 transcripts .*line \d"):
                found.find(Path(audio))


def test_a_single_file_belongs_to_the_recording_of_its_name(tmp_path: Path) -> None:
    found = Transcripts.load(write(tmp_path, "call.txt", "hello"))
    call = found.find(Path("/data/call.mp3"))
    assert call is not None
    assert call.text == "hello"
    assert found.find(Path("/data/other.mp3")) is None
    with pytest.raises(TranscriptError, match="No such file"):
        Transcripts.load(tmp_path / "none.txt")
