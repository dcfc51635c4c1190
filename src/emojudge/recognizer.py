"""The recogniser: utterances in, predictions out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emojudge.ahead import ahead
from emojudge.audio.decode import SAMPLE_RATE, Audio, Samples, Stream, decode, stream
from emojudge.audio.transcribe import Transcriber, load_transcriber
from emojudge.audio.windows import trim, windows
from emojudge.bundle.engines import DEFAULT
from emojudge.bundle.format import Bundle
from emojudge.bundle.sessions import AcousticSession, LinguisticSession
from emojudge.bundle.tuned import as_tuned
from emojudge.emotions import EMOTIONS
from emojudge.encoder import Adapt, Encoder, Heard, adapt_voices
from emojudge.errors import AudioError, BundleError, EmojudgeError
from emojudge.opinions import Logits, Opinions
from emojudge.records import Failure, Prediction, Transcript, Utterance

Input = Utterance | tuple[Utterance, Audio]  # the second for an utterance whose audio is already decoded
CHUNK = 32  # utterances that are decided together
DECODED = 32  # windows that are decoded while those before are encoded


@dataclass(frozen=True)
class _Lost:
    """An utterance that cannot be used, of which some windows may be under way."""

    utterance: Utterance
    error: EmojudgeError


class Recognizer:
    """Predicts emotions with a bundle's models.

    >>> import numpy as np, emojudge
    >>> recognizer = emojudge.load(asr="none")
    >>> prediction = recognizer(np.zeros(16_000, dtype=np.float32), rate=16_000, transcript="I am so happy!")
    >>> prediction.modalities, prediction.notes[0]
    (('audio', 'text'), 'silent: every sample is 0')
    """

    def __init__(
        self,
        bundle: Bundle,
        transcriber: Transcriber | None = None,
        threads: int = 0,
        engine: str = DEFAULT,
    ) -> None:
        self.bundle = bundle
        self.engine = engine  # what runs the models, as `load` takes it
        self.transcriber = transcriber
        text = bundle.manifest.text
        self._acoustic = AcousticSession(bundle, threads, engine) if bundle.manifest.audio else None
        self._linguistic = LinguisticSession(bundle, text.max_tokens, threads, engine) if text else None
        self._opinions = Opinions(bundle.manifest)

    def __call__(
        self,
        source: str | Path | bytes | NDArray[np.generic],
        *,
        transcript: str | Transcript | None = None,
        rate: int | None = None,
    ) -> Prediction:
        """The prediction for one recording: a path, a file's bytes, or an array with its `rate` in Hz.

        Raises:
            AudioError: the recording cannot be used, or a file was given a rate.
        """
        if isinstance(transcript, str):
            transcript = Transcript(text=transcript, source="given")
        path = Path(source) if isinstance(source, str | Path) else None
        if path is not None and rate is not None:
            raise AudioError(path, found=f"rate={rate}", expected="no rate: files state their own")
        audio = decode(source, rate=rate) if path is None else None
        encoder = Encoder(self._acoustic)
        heard = Heard(Utterance(id=str(path or "audio"), audio=path, transcript=transcript), transcript)
        for window in self._windows(heard, audio):
            encoder.add(heard, window)
        encoder.flush()
        return self._prediction(
            heard, self._audio_logits([heard]).get(0), self._text_outputs([heard]).get(0), None
        )

    def predict(
        self, utterances: Iterable[Input], *, adapt_to: Adapt | None = None
    ) -> Iterator[Prediction | Failure]:
        """Predictions in the order of the utterances; a `Failure` stands where one could not be used.

        Args:
            utterances: with audio, a transcript, or both. A transcript that is there is not made again. A
                pair `(utterance, audio)` is for what is no file: a segment, or what came over a network.
            adapt_to: map the pooled features of all these utterances, or of each speaker's, onto those of
                the training split (see `fusion.adaptation`); nothing is given out before all were heard.
                By speaker, a recording whose speaker is not known is a `Failure`.
        """
        chunks = ahead(self._encoded(utterances, adapt_to), 1)  # one while the words of another are read
        if adapt_to is None:
            for chunk in chunks:
                yield from self._in_order(chunk, None)
            return
        part = self.bundle.manifest.audio
        if part is not None and not part.embedding_mean:
            raise BundleError(
                self.bundle.folder,
                found="no statistics of its training",
                expected="some, to adapt to them",
                advice="Leave --adapt out.",
            )
        everything = [item for chunk in chunks for item in chunk]
        if part is not None:  # of words alone there is no voice to adapt
            adapt_voices([item for item in everything if isinstance(item, Heard)], part, adapt_to)
        yield from self._in_order(everything, adapt_to)

    def _encoded(
        self, utterances: Iterable[Input], adapt_to: Adapt | None
    ) -> Iterator[list[Heard | Failure]]:
        """Utterances whose audio is encoded, CHUNK at a time, while others are decoded."""
        encoder = Encoder(self._acoustic)
        results: list[Heard | Failure] = []
        for piece in ahead(self._decoded(utterances, adapt_to), DECODED):
            if isinstance(piece, tuple):
                encoder.add(*piece)
                continue
            if isinstance(piece, _Lost):
                encoder.forget(piece.utterance)
                results.append(Failure(id=piece.utterance.id, error=str(piece.error)))
            else:
                results.append(piece)
            if len(results) == CHUNK:
                encoder.flush()
                yield results
                results = []
        encoder.flush()
        yield results

    def _decoded(
        self, utterances: Iterable[Input], adapt_to: Adapt | None
    ) -> Iterator[tuple[Heard, Samples] | Heard | _Lost]:
        """Each utterance's windows, and then itself with its words, or as one that cannot be used."""
        for item in utterances:
            utterance, audio = item if isinstance(item, tuple) else (item, None)
            heard = Heard(utterance, utterance.transcript)
            try:
                if adapt_to == "speaker" and self._acoustic is not None:
                    _check_speaker(utterance, audio)
                for window in self._windows(heard, audio):
                    yield heard, window
                yield heard
            except EmojudgeError as error:
                yield _Lost(utterance, error)

    def _windows(self, heard: Heard, audio: Audio | None) -> Iterator[Samples]:
        """Find the words, and give the windows of the audio, of which none is kept."""
        utterance = heard.utterance
        source = audio or utterance.audio
        if source is None:
            if utterance.transcript is None:
                raise EmojudgeError(utterance.id, found="neither audio nor words", expected="at least one")
            return
        if utterance.transcript is None and self.transcriber is not None and self._linguistic is not None:
            source = source if isinstance(source, Audio) else decode(source)
            heard.transcript = self.transcriber(source.samples)
        part = self.bundle.manifest.audio
        if self._acoustic is None or part is None:
            heard.notes.append("the bundle has no model of the voice: judged by the words alone")
            return
        seconds = part.window_seconds
        decoded: Audio | Stream
        blocks: Iterable[Samples]
        if isinstance(source, Audio):
            size = int(seconds * SAMPLE_RATE)
            blocks = (source.samples[start : start + size] for start in range(0, len(source.samples), size))
            decoded = source
        else:
            blocks = decoded = stream(source, block_seconds=seconds)
        for window in windows(blocks):
            heard.seconds += len(window) / SAMPLE_RATE
            yield window if part.trim_db is None else trim(window, part.trim_db)
        heard.notes += decoded.notes  # of a stream, they are complete when it has ended

    def _in_order(
        self, items: Sequence[Heard | Failure], adapted: Adapt | None
    ) -> Iterator[Prediction | Failure]:
        heard = [item for item in items if isinstance(item, Heard)]
        audio, text = self._audio_logits(heard), self._text_outputs(heard)
        at = iter(range(len(heard)))
        for item in items:
            if isinstance(item, Failure):
                yield item
                continue
            index = next(at)
            try:
                yield self._prediction(item, audio.get(index), text.get(index), adapted)
            except EmojudgeError as error:
                yield Failure(id=item.utterance.id, error=str(error))

    def _audio_logits(self, heard: Sequence[Heard]) -> dict[int, Logits]:
        """Each item's logits `(emotions,)`: the mean over its windows, weighted by their duration."""
        with_audio = [i for i, item in enumerate(heard) if item.embeddings]
        if not with_audio or self._acoustic is None:
            return {}
        logits = self._acoustic.classify(np.stack([row for i in with_audio for row in heard[i].embeddings]))
        result, at = {}, 0
        for i in with_audio:
            lengths = heard[i].lengths
            result[i] = np.average(logits[at : at + len(lengths)], axis=0, weights=lengths)
            at += len(lengths)
        return result

    def _text_outputs(self, heard: Sequence[Heard]) -> dict[int, Logits]:
        spoken = [i for i, item in enumerate(heard) if item.transcript and item.transcript.text.strip()]
        if not spoken or self._linguistic is None:
            return {}
        outputs = self._linguistic([item.transcript.text for i in spoken if (item := heard[i]).transcript])
        return dict(zip(spoken, outputs, strict=True))

    def _prediction(
        self, heard: Heard, audio: Logits | None, text: Logits | None, adapted: Adapt | None
    ) -> Prediction:
        manifest = self.bundle.manifest
        notes = [*heard.notes]
        if len(heard.lengths) > 1:
            notes.append(f"mean over {len(heard.lengths)} windows")
        if audio is not None and text is None:
            notes.append(f"{self._why_no_words(heard)}: judged by the voice alone")
        if audio is None and text is None:
            raise EmojudgeError(
                heard.utterance.id,
                found="nothing that this bundle's models can use",
                expected="audio, words, or both",
            )
        heard_opinion = self._opinions.of_audio(audio) if audio is not None else None
        read_opinion = self._opinions.of_text(text) if text is not None else None
        fused = self._opinions.fuse(heard_opinion, read_opinion)
        return Prediction(
            id=heard.utterance.id,
            emotion=EMOTIONS[int(np.argmax(list(fused.scores.values())))],
            scores=fused.scores,
            attributes=fused.attributes,
            attributes_from=fused.attributes_from,
            modalities=tuple(m for m, o in (("audio", audio), ("text", text)) if o is not None),
            audio=heard_opinion,
            text=read_opinion,
            transcript=heard.transcript,
            seconds=heard.seconds or None,
            adapted=adapted if audio is not None else None,
            bundle=manifest.name,
            engine=self.engine,
            notes=tuple(notes),
        )

    def _why_no_words(self, heard: Heard) -> str:
        if self._linguistic is None:
            return "the bundle has no model of words"
        return "no transcript" if heard.transcript is None else "no words found"


def _check_speaker(utterance: Utterance, audio: Audio | None) -> None:
    if (audio or utterance.audio) is not None and utterance.speaker is None:
        raise EmojudgeError(
            utterance.id,
            found="no speaker",
            expected="one for every recording, to adapt by speaker",
            advice="Give a manifest with a speaker column, or adapt to the collection.",
        )


class Predictor(Protocol):
    """What predicts segments: a `Recognizer`, or one that is `Remembered`."""

    @property
    def bundle(self) -> Bundle:
        """The models behind it."""
        ...

    def predict(self, utterances: Iterable[Input], /) -> Iterator[Prediction | Failure]:
        """As `Recognizer.predict`."""
        ...


def load(
    bundle: str | Path | None = None,
    *,
    asr: str | None = None,
    language: str | None = None,
    threads: int = 0,
    engine: str | None = None,
) -> Recognizer:
    """A recogniser from a bundle folder, or, without an argument, from the embedded bundle.

    Args:
        bundle: a folder as `emojudge bundle` writes it.
        asr: the engine for recordings without a transcript: "moonshine", "faster-whisper:FOLDER", "none";
            None takes the first that is installed and works offline.
        language: of the speech, such as "en", for the choice of an engine.
        threads: of the models; 0 for one per core.
        engine: what runs the models: "onnxruntime", "openvino" or, if the bundle keeps weights for it,
            "torch"; the two latter with ":bfloat16" behind where the processor has it. None for what
            `emojudge doctor --tune` found for this bundle on this machine, or ONNX Runtime where nothing
            was. Predictions say in `engine` and `bundle` what ran.

    Raises:
        BundleError: the folder is no bundle, or damaged.
        EmojudgeError: no engine of that name, or one that cannot have this precision here.
        MissingExtraError: the engine that was named is not installed.
    """
    opened = Bundle.open(bundle)
    if engine is None:
        opened, engine, threads = as_tuned(opened, threads)
    return Recognizer(opened, load_transcriber(asr, language=language), threads, engine)
