"""Work that was killed goes on with the predictions that it has, and only with those that are its own."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

import emojudge
from emojudge.audio.decode import Audio
from emojudge.errors import EmojudgeError
from emojudge.recognizer import Input, Recognizer
from emojudge.records import Failure, Prediction, Transcript, Utterance
from emojudge.remembered import Remembered
from emojudge.timeline import gather

RECORDING = Path(__file__).parents[1] / "examples" / "two_voices.flac"


class Killed(BaseException):
    """Nobody catches it, as nobody catches a kill."""


class Counting(Recognizer):
    """Notes what it is asked to predict, and is killed when that is enough."""

    def __init__(self, recognizer: Recognizer, enough: int = 10**9) -> None:
        vars(self).update(vars(recognizer))
        self.asked: list[str] = []
        self.enough = enough

    def predict(self, utterances: Iterable[Input], **options: object) -> Iterator[Prediction | Failure]:
        for item, result in zip(given := list(utterances), super().predict(given), strict=True):
            if len(self.asked) == self.enough:
                raise Killed
            self.asked.append(item[0].id if isinstance(item, tuple) else item.id)
            yield result


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return emojudge.load(asr="none", threads=1)


def segment(name: str, seed: int, words: str | None = None) -> Input:
    samples = np.random.default_rng(seed).normal(0, 0.1, 16_000).astype(np.float32)
    transcript = Transcript(text=words, source="given") if words else None
    return Utterance(id=name, transcript=transcript), Audio(samples, 1.0, name)


def killed_after(remembered: Remembered, items: list[Input]) -> list[type]:
    """The kinds of what is predicted before the kill."""
    kinds: list[type] = []
    with contextlib.suppress(Killed), remembered:
        kinds += map(type, remembered.predict(items))
        raise Killed
    return kinds


def test_a_killed_timeline_goes_on_and_is_the_same(recognizer: Recognizer, tmp_path: Path) -> None:
    place = tmp_path / "call.heard"
    straight = Counting(recognizer)
    expected = gather(straight, RECORDING, id="call")
    first = Counting(recognizer, enough=5)
    with pytest.raises(Killed), Remembered(first, place) as remembered:
        gather(remembered, RECORDING, id="call")
    with place.open("ab") as file:
        file.write(b"0123 {torn")  # a line that the kill came into
    second = Counting(recognizer)
    with Remembered(second, place) as remembered:
        assert len(remembered) == 5
        assert gather(remembered, RECORDING, id="call") == expected
    assert first.asked + second.asked == straight.asked
    assert not place.exists()


def test_other_samples_words_names_or_options_are_predicted(recognizer: Recognizer, tmp_path: Path) -> None:
    place = tmp_path / "x.heard"
    killed_after(Remembered(recognizer, place), [segment("a", 1, "I am so happy!")])
    others = [segment("a", 2, "I am so happy!"), segment("a", 1, "No."), segment("b", 1, "I am so happy!")]
    counting = Counting(recognizer)
    killed_after(Remembered(counting, place), [*others, segment("a", 1, "I am so happy!")])
    assert counting.asked == ["a", "a", "b"]
    with Remembered(counting, place, depends="de") as remembered:
        list(remembered.predict([segment("a", 1, "I am so happy!")]))
    assert counting.asked == ["a", "a", "b", "a"]


def test_failures_are_tried_again_and_a_damaged_line_is_none(recognizer: Recognizer, tmp_path: Path) -> None:
    place = tmp_path / "x.heard"
    items: list[Input] = [Utterance(id="nothing"), segment("a", 1)]
    kinds = killed_after(Remembered(recognizer, place), items)
    assert kinds == [Failure, Prediction]
    key, _ = place.read_text("utf-8").split(" ", 1)
    place.write_text(f"{key} {{}}\n", encoding="utf-8")
    counting = Counting(recognizer)
    with Remembered(counting, place) as remembered:
        assert [type(result) for result in remembered.predict(items)] == kinds
    assert counting.asked == ["nothing", "a"]


def test_recordings_are_known_by_their_file_until_it_changes(recognizer: Recognizer, tmp_path: Path) -> None:
    place, paths = tmp_path / "x.heard", [tmp_path / f"{name}.flac" for name in "abc"]
    for path in paths[:2]:
        path.write_bytes(RECORDING.read_bytes())
    items = [Utterance(id=path.stem, audio=path) for path in paths]
    assert killed_after(Remembered(recognizer, place), [*items]) == [Prediction, Prediction, Failure]
    os.utime(paths[1], ns=(0, 0))
    counting = Counting(recognizer)
    with Remembered(counting, place) as remembered:
        results = list(remembered.predict(items))
    assert [result.id for result in results] == ["a", "b", "c"]
    assert counting.asked == ["b", "c"]  # changed, and not there


def test_any_number_of_utterances_is_looked_up_in_parts(
    recognizer: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emojudge.remembered.PART", 2)
    texts = ("so happy", "so sad", "you never call", "no", "thank you")
    items = [Utterance(id=text, transcript=Transcript(text=text, source="given")) for text in texts]
    expected = list(recognizer.predict(items))
    with Remembered(recognizer, tmp_path / "x.heard") as remembered:
        assert list(remembered.predict(iter(items))) == expected


def test_a_file_that_cannot_be_written_is_named(recognizer: Recognizer, tmp_path: Path) -> None:
    with pytest.raises(EmojudgeError, match=r"gone/x\.heard: found No such file"):
        Remembered(recognizer, tmp_path / "gone" / "x.heard")
