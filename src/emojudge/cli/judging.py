"""Inputs judged one after the other: failures named as they come, progress shown, nothing out of order."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emojudge.cli.choices import Group
from emojudge.cli.inputs import Inputs
from emojudge.cli.messages import count, say, utf8
from emojudge.cli.progress import bar
from emojudge.errors import EmojudgeError
from emojudge.records import Failure, Prediction, Utterance

if TYPE_CHECKING:
    from emojudge.recognizer import Recognizer

Predict = Callable[[Iterator[Utterance]], Iterator[Prediction | Failure]]

MANY = 8  # inputs from which on a progress bar is worth its place
FEW = 10  # recordings in a group below which adaptation changes little, see fusion.adaptation.PRIOR_COUNT


@dataclass
class Judging:
    """A run over the inputs, and what became of it."""

    inputs: Inputs
    spool: Path  # where the copy of stdin is; of no interest to people
    group: Group | None = None
    bar: bool = False
    done: int = 0
    failed: int = 0
    adapted: list[str] = field(default_factory=list)  # ids

    def results(self, predict: Predict) -> Iterator[Prediction | Failure]:
        """A prediction, or a failure that was named on stderr, for every input in its order."""
        utterances = self.inputs.utterances
        with bar("judging", len(utterances), self.bar and len(utterances) >= MANY) as advance:
            # An adapted run hears everything before it gives anything out.
            listened = _counted(utterances, advance) if self.group else iter(utterances)
            judged = predict(listened)
            for item in self.inputs.items:
                result = item if isinstance(item, Failure) else next(judged)
                if isinstance(result, Failure):
                    result = self._named(result)
                elif result.adapted:
                    self.adapted.append(result.id)
                yield result
                self.done += 1
                if not self.group and isinstance(item, Utterance):
                    advance(1)

    def _named(self, failure: Failure) -> Failure:
        self.failed += 1
        error = utf8(failure.error.replace(f"{self.spool}{os.sep}", ""))
        say(error if failure.id in error else f"{failure.id}: {error}")
        return failure.model_copy(update={"error": error})

    def report(self) -> None:
        """Say what the results do not: what was adapted, and how many failed."""
        if self.adapted and self.group:
            heard = set(self.adapted)
            speakers = {u.speaker for u in self.inputs.utterances if u.id in heard}
            by_speaker = self.group is Group.SPEAKER
            how = f"by speaker ({count(len(speakers), 'speaker')})" if by_speaker else "to the collection"
            few = len(heard) < FEW * (len(speakers) if by_speaker else 1)
            say(
                f"adapted {how}: the voices of {count(len(heard), 'recording')}"
                + (f" (under {FEW} a group, so little changes)" if few else "")
            )
        elif self.group:
            say(f"nothing was adapted: no voice was judged, so --adapt {self.group.value} changes nothing")
        if self.failed:
            say(f"{self.failed} of {count(len(self.inputs.items), 'input')} failed")


def load_recognizer(
    inputs: Inputs,
    bundle: str | None,
    asr: str,
    language: str | None,
    threads: int,
    engine: str | None,
) -> "Recognizer":
    """The recogniser, with a transcriber where one is needed; says so where one is wanted and not there."""
    from emojudge.recognizer import load

    silent = [u for u in inputs.recordings if u.transcript is None]
    if asr == "auto" and not silent:
        asr = "none"
    recognizer = load(bundle, asr=asr, language=language, threads=threads, engine=engine)
    if asr == "auto" and recognizer.transcriber is None and recognizer.bundle.manifest.text:
        say(
            f"no transcriber was found that works offline: {count(len(silent), 'recording')} without a "
            "transcript will be judged by the voice alone ('emojudge doctor' says what would add one)"
        )
    return recognizer


def check_server_options(**given: object) -> None:
    """Raises EmojudgeError for options that say what a server decides by itself."""
    for name, value in given.items():
        if value:
            raise EmojudgeError(
                f"--{name}",
                found="--server beside it",
                expected="one of the two",
                advice="The server was started with a bundle and a transcriber of its own.",
            )


def check_speakers(inputs: Inputs) -> None:
    """Raises EmojudgeError, before anything is heard, if no recording's speaker is known.

    Where some are, a recording without one fails alone.
    """
    unknown = [utterance for utterance in inputs.recordings if utterance.speaker is None]
    if unknown and len(unknown) == len(inputs.recordings):
        raise EmojudgeError(
            "--adapt speaker",
            found=f"{count(len(unknown), 'recording')} without a speaker, such as {unknown[0].id}",
            expected="the recordings' speakers",
            advice="Give a manifest with a column 'speaker', or use --adapt collection.",
        )


def _counted(utterances: list[Utterance], advance: Callable[[int], None]) -> Iterator[Utterance]:
    for utterance in utterances:
        yield utterance
        advance(1)
