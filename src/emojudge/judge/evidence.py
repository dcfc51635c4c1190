"""What a judge is told of an utterance: its words and the turns before, the voice, what the models say."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from emojudge.audio.decode import Audio, decode
from emojudge.audio.prosody import MIN_SECONDS, Voice, measure_voice
from emojudge.emotions import Emotion
from emojudge.errors import EmojudgeError
from emojudge.judge.bins import Bins
from emojudge.records import Evidence, Failure, Measure, Opinion, Prediction, Transcript, Turn, Utterance

TURNS = 5  # earlier turns that are told; more returned little (GenSEC task 3, arXiv:2410.03312)

Form = Literal["bins", "paper"]

# What is told, in this order: of two measures that say the same, the second only without the first.
_TOLD: tuple[tuple[str, ...], ...] = (
    ("loudness",),
    ("loudness_variation",),
    ("pitch",),
    ("pitch_range",),
    ("speaking_rate", "articulation_rate"),
    ("harmonics_to_noise",),
    ("tilt",),
)
_NAMES = {"harmonics_to_noise": "harmonics-to-noise ratio", "tilt": "high-frequency energy"}
_UNITS = {"words/s": "words per second", "syllables/s": "syllables per second"}
_DIGITS = {"Hz": 0, "of full scale": 4}  # decimals; of other units one


@dataclass(frozen=True)
class Unheard:
    """Evidence without the voice, enough for any gate, and what adds the voice if it is sent."""

    evidence: Evidence
    heard: Callable[[], Evidence]


def evidence_of(
    prediction: Prediction,
    utterance: Utterance | None = None,
    *,
    audio: Audio | None = None,
    turns: Sequence[Turn] = (),
    bins: Bins | None = None,
    tracker: str = "swift-f0",
) -> Evidence:
    """The evidence on one prediction, whoever made it.

    The voice is measured where there is audio, see `add_voice`. Speakers become "Speaker A", "Speaker B" … in
    the order in which they speak; their names stay here.

    Args:
        utterance: whose recording, speaker and gender are taken; without it, the prediction's words alone.
        audio: the recording where it is decoded already, or where the utterance names none.
        turns: earlier turns, oldest first, with the speakers' names.
        bins: what the measures are low or high by; without, the figures stand alone.

    Raises:
        AudioError: the recording cannot be used.
        MissingExtraError: the pitch tracker is not installed.
        EmojudgeError: the bins are of another tracker.
    """
    transcript = prediction.transcript or (utterance.transcript if utterance else None)
    speaker = utterance.speaker if utterance else None
    gender = utterance.gender if utterance else None
    names = _pseudonyms([turn.speaker for turn in turns], [speaker], _speakers(transcript))
    evidence = Evidence(
        id=prediction.id,
        transcript=_renamed(transcript, names),
        speaker=names.get(speaker or ""),
        gender=gender,
        turns=tuple(Turn(speaker=names.get(turn.speaker or ""), text=turn.text) for turn in turns),
        seconds=prediction.seconds,
        emotion=prediction.emotion,
        scores=prediction.scores,
        attributes=prediction.attributes,
        audio_scores=prediction.audio.scores if prediction.audio else None,
        text_scores=prediction.text.scores if prediction.text else None,
        conflict=_conflict(prediction.audio, prediction.text),
    )
    if audio is None and (utterance is None or utterance.audio is None):
        return evidence
    return add_voice(evidence, utterance, audio=audio, bins=bins, tracker=tracker)


def add_voice(
    evidence: Evidence,
    utterance: Utterance | None = None,
    *,
    audio: Audio | None = None,
    bins: Bins | None = None,
    tracker: str = "swift-f0",
) -> Evidence:
    """The evidence with what is measured of the voice, where the recording has MIN_SECONDS or more.

    It takes longer than all else that evidence is made of. Arguments and errors are those of `evidence_of`.
    """
    if audio is None and utterance is not None and utterance.audio is not None:
        audio = decode(utterance.audio, name=utterance.id)
    if audio is None:
        return evidence
    told: dict[str, Any] = {"seconds": audio.seconds}
    if audio.seconds >= MIN_SECONDS:
        voice = measure_voice(audio.samples, evidence.transcript, tracker)
        told |= {"measures": _placed(voice, bins, utterance), "extractor": voice.extractor}
    return evidence.model_copy(update=told)


def gather_evidence(
    predictions: Iterable[Prediction],
    utterances: Iterable[Utterance],
    *,
    bins: Bins | None = None,
    tracker: str = "swift-f0",
    turns: int = TURNS,
) -> Iterator[Evidence | Failure]:
    """The evidence on many predictions, in their order; a `Failure` where a recording cannot be used.

    Utterances belong to predictions by their id. Those of one `recording` are its turns: ordered by their
    `position` where all have one, else as they come. Their words are the utterance's, or what the recogniser
    heard.

    Args:
        turns: how many earlier turns are told at most.
    """
    found = list(predictions)
    known = {utterance.id: utterance for utterance in utterances}
    heard = {prediction.id: prediction.transcript for prediction in found}
    before = _turns_before(known.values(), heard, turns)
    for prediction in found:
        try:
            yield evidence_of(
                prediction,
                known.get(prediction.id),
                turns=before.get(prediction.id, ()),
                bins=bins,
                tracker=tracker,
            )
        except EmojudgeError as error:
            yield Failure(id=prediction.id, error=str(error))


def describe(evidence: Evidence, form: Form = "bins") -> str:
    """The voice in words; empty where nothing was measured. The same evidence gives the same words.

    Args:
        evidence: of `evidence_of`.
        form: "bins" says what is high and low, and compared with whom, with the figures; "paper" gives what
            EmoJudge gave (section 2.4): amplitude, pitch range, loudness, duration and speaking rate.
    """
    measures = evidence.measures
    if not measures:
        return ""
    if form == "paper":
        return _paper(measures)
    told: dict[str, list[str]] = defaultdict(list)
    for names in _TOLD:
        name = next((name for name in names if name in measures), None)
        if name is not None:
            told[_compared(evidence, measures[name])].append(_phrase(name, measures[name]))
    sentences = [f"{with_whom}{', '.join(phrases)}." for with_whom, phrases in told.items()]
    return " ".join([*sentences, _time(measures)])


def _phrase(name: str, measure: Measure) -> str:
    words = _NAMES.get(name, name.replace("_", " "))
    return f"{measure.bin} {words} ({_figure(measure)})" if measure.bin else f"{words} {_figure(measure)}"


def _compared(evidence: Evidence, measure: Measure) -> str:
    if measure.bin is None or measure.reference is None:
        return "Measured: "
    whom = {
        "speaker": "this speaker at other times",
        "gender": "other women" if evidence.gender == "female" else "other men",
        "overall": "other voices",
    }
    return f"Compared with {whom[measure.reference]}: "


def _time(measures: Mapping[str, Measure]) -> str:
    text = f"Duration {_figure(measures['duration'])}"
    if "pauses" not in measures:
        return f"{text}, no sound."
    count = int(measures["pauses"].value)
    if count == 0:
        return f"{text}, no pause."
    share = measures["pause_share"].value
    return f"{text}, {count} {'pause' if count == 1 else 'pauses'}, {share:.0%} of the time."


def _paper(measures: Mapping[str, Measure]) -> str:
    parts = []
    if "amplitude" in measures:
        parts.append(f"amplitude {_figure(measures['amplitude'])}")
    if "pitch_low" in measures:
        span = measures["pitch_high"].value - measures["pitch_low"].value
        parts.append(f"pitch range {_figure(Measure(value=span, unit='Hz'))}")
    parts += [f"{name} {_figure(measures[name])}" for name in ("loudness", "duration") if name in measures]
    rate = measures.get("speaking_rate") or measures.get("articulation_rate")
    if rate is not None:
        parts.append(f"speaking rate {_figure(rate)}")
    return f"Audio: {', '.join(parts)}."


def _figure(measure: Measure) -> str:
    rounded = round(measure.value, _DIGITS.get(measure.unit, 1)) + 0.0  # no "-0.0"
    return f"{rounded:.{_DIGITS.get(measure.unit, 1)}f} {_UNITS.get(measure.unit, measure.unit)}"


def _placed(voice: Voice, bins: Bins | None, utterance: Utterance | None) -> dict[str, Measure]:
    if bins is None:
        return voice.measures
    return bins.place(
        voice, utterance.speaker if utterance else None, utterance.gender if utterance else None
    )


def _conflict(audio: Opinion | None, text: Opinion | None) -> bool | None:
    return None if audio is None or text is None else _strongest(audio) != _strongest(text)


def _strongest(opinion: Opinion) -> Emotion:
    return max(opinion.scores, key=lambda emotion: opinion.scores[emotion])


def _turns_before(
    utterances: Iterable[Utterance], heard: Mapping[str, Transcript | None], most: int
) -> dict[str, tuple[Turn, ...]]:
    """Earlier turns by utterance; those without words are none."""
    recordings: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if utterance.recording is not None:
            recordings[utterance.recording].append(utterance)
    before: dict[str, tuple[Turn, ...]] = {}
    for members in recordings.values():
        if all(member.position is not None for member in members):
            members.sort(key=lambda member: member.position or 0.0)
        said: list[Turn] = []
        for member in members:
            before[member.id] = tuple(said[len(said) - min(most, len(said)) :])
            transcript = member.transcript or heard.get(member.id)
            if transcript is not None and transcript.text.strip():
                said.append(Turn(speaker=member.speaker, text=transcript.text))
    return before


def _speakers(transcript: Transcript | None) -> list[str | None]:
    return [segment.speaker for segment in transcript.segments] if transcript else []


def _pseudonyms(*groups: Iterable[str | None]) -> dict[str, str]:
    """A name for each speaker, in order: Speaker A to Speaker Z, then Speaker 27 and so on."""
    distinct = list(dict.fromkeys(name for group in groups for name in group if name))
    return {
        name: f"Speaker {chr(ord('A') + place) if place < 26 else place + 1}"
        for place, name in enumerate(distinct)
    }


def _renamed(transcript: Transcript | None, names: Mapping[str, str]) -> Transcript | None:
    if transcript is None:
        return None
    segments = [s.model_copy(update={"speaker": names.get(s.speaker or "")}) for s in transcript.segments]
    return transcript.model_copy(update={"segments": tuple(segments)})
