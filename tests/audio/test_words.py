"""A recording's words, dealt out to its segments."""

from emojudge.audio.segment import Span
from emojudge.audio.words import Words
from emojudge.records import Segment, Transcript


def transcript(*cues: tuple[float, float, str]) -> Transcript:
    segments = tuple(Segment(start=start, end=end, text=text) for start, end, text in cues)
    return Transcript(text=" ".join(text for _, _, text in cues), source="given", segments=segments)


def test_words_go_where_their_middle_lies_with_times_of_the_segment() -> None:
    words = Words(transcript((0.8, 1.4, "One."), (1.9, 2.4, "Two."), (2.5, 3.5, "Three.")), "turns")
    first, second = words.of(Span(1.0, 2.0)), words.of(Span(2.0, 3.2))
    assert first is not None
    assert second is not None
    assert (first.text, second.text) == ("One.", "Two. Three.")
    assert [(round(s.start, 3), round(s.end, 3)) for s in second.segments] == [(0.0, 0.4), (0.5, 1.2)]
    assert list(words.failures("call")) == []


def test_words_in_a_pause_belong_to_the_speech_that_they_end_in() -> None:
    words = Words(transcript((1.0, 2.2, "Early."), (5.0, 5.5, "Nobody.")), "turns")
    said = words.of(Span(2.0, 3.0))
    assert said is not None
    assert said.text == "Early."
    (failure,) = words.failures("call")
    assert failure.id == "call#t=5.000,5.500"
    assert "found no speech there" in failure.error


def test_a_turns_own_words_come_first_and_without_any_nothing_is_said() -> None:
    own = Words(transcript((0.0, 1.0, "Other.")), "turns").of(Span(0.0, 1.0, "Ann", "Mine."))
    assert own is not None
    assert (own.text, own.source, own.segments[0].speaker) == ("Mine.", "turns", "Ann")
    assert Words(None, "turns").of(Span(0.0, 1.0)) is None
