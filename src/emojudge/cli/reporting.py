"""Recordings followed one after the other, and their timelines written."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from emojudge.audio.decode import SAMPLE_RATE, Samples
from emojudge.cli.choices import Format, Layout
from emojudge.cli.inputs import Inputs
from emojudge.cli.judged import summary
from emojudge.cli.messages import count, say, utf8
from emojudge.cli.output import opened
from emojudge.cli.progress import bar
from emojudge.cli.timelines import WRITERS
from emojudge.errors import EmojudgeError
from emojudge.records import Failure, Timeline, Transcript, Utterance

if TYPE_CHECKING:
    from emojudge.audio.diarise import Diariser
    from emojudge.judge.judging import Judge
    from emojudge.page.sound import Sound
    from emojudge.recognizer import Predictor, Recognizer
    from emojudge.timeline import Result

Find = Callable[[Path], Transcript | None]


@dataclass(frozen=True)
class Targets:
    """Where each recording's timeline goes, by its id; None is stdout."""

    layout: Layout
    files: Mapping[str, Path | None]


def targets(inputs: Inputs, output: Path | None, layout: Layout | None) -> Targets:
    """What is written where.

    Raises:
        EmojudgeError: no recording, rows of a manifest, several recordings and no folder, a page to stdout.
    """
    ids = [utterance.id for utterance in inputs.recordings]
    if len(ids) < len(inputs.utterances):
        raise EmojudgeError("report", found="texts without a recording", expected="recordings")
    into_folder = output is not None and (output.is_dir() or not output.suffix)
    if len(ids) > 1 and not into_folder:
        raise EmojudgeError(
            output or "--output",
            found=f"{count(len(ids), 'recording')} for it",
            expected="a folder, in which each has a file",
            advice="Such as: --output reports",
        )
    if into_folder and output is not None:
        chosen = layout or Layout.HTML
        output.mkdir(parents=True, exist_ok=True)
        names = _distinct([Path(utterance.audio or utterance.id).stem for utterance in inputs.recordings])
        return Targets(chosen, {i: output / f"{n}.{chosen}" for i, n in zip(ids, names, strict=True)})
    suffix = output.suffix.lower().removeprefix(".") if output is not None else ""
    if layout is None and suffix not in {each.value for each in Layout}:
        known = ", ".join(f".{each}" for each in Layout)
        raise EmojudgeError(
            output or "--output",
            found=f"the suffix {output.suffix!r}" if output else "no file",
            expected=f"a file in {known}, or --format",
            advice="Such as: --output call.html",
        )
    chosen = layout or Layout(suffix)
    if output is None and chosen is Layout.HTML:
        raise EmojudgeError("--format html", found="no --output", expected="the page's name")
    return Targets(chosen, dict.fromkeys(ids, output))


def _distinct(names: list[str]) -> list[str]:
    """Names of which none is there twice: a, a-2, b.

    >>> _distinct(["a", "b", "a"])
    ['a', 'b', 'a-2']
    """
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in names:
        seen[name] += 1
        new = name if seen[name] == 1 else f"{name}-{seen[name]}"
        while new in found:
            seen[name] += 1
            new = f"{name}-{seen[name]}"
        found.append(new)
    return found


@dataclass(frozen=True)
class Models:
    """What hears a recording, and what tells who speaks in it."""

    recognizer: "Recognizer"
    diariser: "Diariser | None"
    language: str | None = None


def load_models(
    turns: Path | None,
    diarise: str | None,
    transcript: Path | None,
    asr: str,
    language: str | None,
    bundle: Path | None,
    threads: int,
    engine: str | None,
) -> Models:
    """The models that the options ask for; says where a transcriber is wanted and not there.

    Raises:
        EmojudgeError: options that do not go together.
    """
    from emojudge.audio.diarise import load_diariser
    from emojudge.recognizer import load

    if turns is not None and diarise is not None:
        raise EmojudgeError("--diarise", found="--turns beside it", expected="one of the two")
    diariser = None if diarise is None else load_diariser(diarise)
    if asr == "auto" and transcript is not None:
        asr = "none"
    recognizer = load(bundle, asr=asr, language=language, threads=threads, engine=engine)
    if asr == "auto" and recognizer.transcriber is None and recognizer.bundle.manifest.text and not turns:
        say(
            "no transcriber was found that works offline: the voice alone will be judged "
            "('emojudge doctor' says what would add one)"
        )
    return Models(recognizer, diariser, language)


@dataclass
class Reporting:
    """A run over recordings."""

    models: Models
    judge: "Judge | None"
    turns: Find | None
    transcripts: Find | None
    layout: Layout
    audio: bool
    shown: bool  # a progress bar
    verdicts: Counter[str] = field(default_factory=Counter)

    def run(self, inputs: Inputs, files: Mapping[str, Path | None]) -> int:
        """Write every recording's timeline; how many failed, wholly or in part."""
        failed = 0
        for item in inputs.items:
            failures = [item] if isinstance(item, Failure) else self._one(item, files[item.id])
            failed += bool(failures)
            for failure in failures:
                error = utf8(failure.error)
                say(error if failure.id in error else f"{failure.id}: {error}")
        if self.judge is not None:
            say(summary(self.verdicts, self.judge))
        return failed

    def _one(self, utterance: Utterance, target: Path | None) -> Sequence[Failure]:
        """Follow a recording and write what was found; what failed. Of one not heard at all, no file."""
        from emojudge.audio.decode import decode
        from emojudge.page.sound import Sound
        from emojudge.timeline import gather

        path = utterance.audio
        assert path is not None  # see targets()
        try:
            turns = self.turns(path) if self.turns else None
            if self.models.diariser is not None:
                turns = self.models.diariser(decode(path).samples)
            with (
                bar(utf8(path.name), _seconds(path), self.shown) as advance,
                opened(target, Format.JSON) as file,
                self._remembering(target) as predictor,
                Sound(keep=self.audio) as sound,
            ):
                timeline = gather(
                    predictor,
                    path,
                    id=utterance.id,
                    turns=turns,
                    transcript=self.transcripts(path) if self.transcripts else None,
                    judge=self.judge,
                    listeners=[_Progress(advance), *([sound] if self.layout is Layout.HTML else [])],
                    each=self._writes(file),
                )
                self._write(timeline, file, sound, path, target)
        except EmojudgeError as error:
            return [Failure(id=utterance.id, error=str(error))]
        self.verdicts.update(p.prediction.verdict.status for p in timeline.passages if p.prediction.verdict)
        return timeline.failures

    @contextmanager
    def _remembering(self, target: Path | None) -> "Iterator[Predictor]":
        """The recogniser; beside a file, one that goes on with what a run that was killed had predicted."""
        from emojudge.remembered import Remembered

        if target is None:
            yield self.models.recognizer
            return
        beside = target.with_name(target.name + ".heard")
        with Remembered(self.models.recognizer, beside, self.models.language or "") as remembered:
            if len(remembered):
                say(f"{target}: goes on with {count(len(remembered), 'prediction')} of a run before")
            yield remembered

    def _writes(self, file: TextIO) -> "Callable[[Result], None] | None":
        """What writes results as they come, where the layout has one a line."""
        if self.layout is not Layout.JSONL:
            return None

        def write(result: "Result") -> None:
            file.write(result.model_dump_json() + "\n")
            file.flush()

        return write

    def _write(
        self, timeline: Timeline, file: TextIO, sound: "Sound", path: Path, target: Path | None
    ) -> None:
        if self.layout is Layout.HTML:
            from emojudge import __version__
            from emojudge.page.report import render

            beside = os.path.relpath(path, target.parent if target else None)
            file.write(
                render(timeline, sound.finish(), version=__version__, beside=beside if self.audio else None)
            )
        elif self.layout in WRITERS:
            WRITERS[self.layout](timeline, file)


class _Progress:
    """Moves a bar on by the whole seconds that were decoded."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._samples = 0

    def __call__(self, samples: Samples) -> None:
        before = self._samples // SAMPLE_RATE
        self._samples += len(samples)
        self._advance(self._samples // SAMPLE_RATE - before)


def _seconds(path: Path) -> int | None:
    """How long a recording says it is; None where only decoding tells."""
    from emojudge.audio.header import read_header

    try:
        seconds = read_header(path).seconds
    except EmojudgeError:  # whoever decodes it says so
        return None
    return None if seconds is None else round(seconds)
