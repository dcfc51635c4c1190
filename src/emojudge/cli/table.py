"""Predictions as a table for people: readable in 80 columns and without colour."""

import sys
from collections import Counter
from collections.abc import Iterable
from typing import TextIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from emojudge.cli.messages import count, printable
from emojudge.emotions import ATTRIBUTES, EMOTIONS, Attribute, Emotion
from emojudge.records import Failure, Prediction, Verdict

LEAST_WIDTH = 72  # columns that the table needs
WORDS = 60  # characters of a transcript that are shown
REASON = 100  # characters of a judge's reason
VOICES = {"audio": "voice", "text": "words"}
ORIGINS = {
    "derived": "derived from the emotion scores, not measured",
    "mixed": "in part measured from the words, in part derived from the voice's scores",
}
HONESTLY = "Scores are estimates of how speech is heard, not of what a person feels."


def write_table(results: Iterable[Prediction | Failure], file: TextIO) -> None:
    """Write all results as one table with footnotes; when interrupted, those that were done."""
    done: list[Prediction | Failure] = []
    try:
        done.extend(results)
    finally:
        if done:
            console = _console(file)
            console.print(_table(done))
            for note in _footnotes(done):
                console.print(Padding(Text(printable(note), style="dim"), (0, 0, 0, 1), expand=False))


def _console(file: TextIO) -> Console:
    # FORCE_COLOR is about what is shown, so not about a file.
    shown = None if file is sys.stdout else False
    console = Console(file=file, force_terminal=shown, highlight=False, emoji=False)
    # A file is not as wide as the terminal that it was made in. A terminal that is too narrow wraps lines,
    # which is hard to read, but names and figures cut off would be worse.
    console.width = max(console.width, LEAST_WIDTH) if file.isatty() else 80
    return console


def _table(results: list[Prediction | Failure]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("file", overflow="fold", min_width=16)
    table.add_column("emotion", no_wrap=True)
    for name in ATTRIBUTES:
        table.add_column(name[:3] + ".", justify="right", no_wrap=True)
    table.add_column("judged by", no_wrap=True)
    for result in results:
        if isinstance(result, Failure):
            table.add_row(Text(printable(result.id)), Text("not judged", style="red"))
        else:
            table.add_row(*_cells(result))
    return table


def _cells(prediction: Prediction) -> list[Text]:
    first, second = sorted(EMOTIONS, key=lambda emotion: -prediction.scores[emotion])[:2]
    name = Text(printable(prediction.id))
    if words := _words(prediction):
        name.append(f"\n{words}", style="dim")
    if prediction.verdict is not None:
        name.append(f"\n{verdict_line(prediction.verdict)}")
    emotions = Text.assemble((_share(first, prediction), "bold"), (f"\n{_share(second, prediction)}", "dim"))
    figures = [Text(_figure(attribute, prediction)) for attribute in ATTRIBUTES]
    return [name, emotions, *figures, Text(_judges(prediction))]


def _share(emotion: Emotion, prediction: Prediction) -> str:
    return f"{emotion:8} {prediction.scores[emotion]:4.0%}"


def _figure(attribute: Attribute, prediction: Prediction) -> str:
    mark = "" if prediction.attributes_from[attribute] == "model" else "~"
    return f"{mark}{getattr(prediction.attributes, attribute):.1f}"


def _judges(prediction: Prediction) -> str:
    return " + ".join(VOICES[modality] for modality in prediction.modalities)


def verdict_line(verdict: Verdict) -> str:
    """A verdict and its reason on one line.

    >>> from emojudge.emotions import EMOTIONS
    >>> scores = dict.fromkeys(EMOTIONS, 0.125)
    >>> facts = {"emotion": "sad", "before": "happy", "scores": scores, "changed": True, "confidence": 0.9}
    >>> verdict_line(Verdict(id="1", status="changed", proposed="sad", reason="slow and low", **facts))
    'judge: happy → sad, 90% sure: slow and low'
    """
    what = {
        "changed": f"{verdict.before} → {verdict.emotion}"
        if verdict.emotion != verdict.before
        else "attributes moved",
        "confirmed": f"{verdict.emotion} confirmed",
        "abstained": f"{verdict.emotion} kept",
        "passed": "",
        "failed": "no answer",
    }[verdict.status]
    sure = (
        f", {verdict.confidence:.0%} sure"
        if verdict.confidence is not None and verdict.status != "abstained"
        else ""
    )
    reason = printable(verdict.reason)
    if len(reason) > REASON:
        reason = reason[: REASON - 1].rstrip() + "…"
    return "judge: " + ": ".join(part for part in (what + sure, reason) if part)


def _words(prediction: Prediction) -> str:
    text = printable(prediction.transcript.text) if prediction.transcript else ""
    if len(text) > WORDS:
        text = text[: WORDS - 1].rstrip() + "…"
    return f"“{text}”" if text else ""


def _footnotes(results: list[Prediction | Failure]) -> list[str]:
    predictions = [result for result in results if isinstance(result, Prediction)]
    if not predictions:
        return []
    return [
        "Under the emotion, the next likely one. val., aro., dom.: valence, arousal and dominance, "
        "1 (negative, calm, weak) to 7 (positive, excited, strong).",
        *_origins(predictions),
        *_notes(predictions),
        _sources(predictions),
        *_judge(predictions),
        HONESTLY,
    ]


def _origins(predictions: list[Prediction]) -> list[str]:
    """What `~` stands for, by what the rows were judged by."""
    judges: dict[str, dict[str, None]] = {}  # origin: what was judged by, in the order of the rows
    for prediction in predictions:
        for origin in prediction.attributes_from.values():
            judges.setdefault(origin, {})[_judges(prediction)] = None
    return [
        f"~ {' or '.join(judges[name])}: {meaning}." for name, meaning in ORIGINS.items() if name in judges
    ]


def _notes(predictions: list[Prediction]) -> list[str]:
    """Each note once, with the rows that it is about."""
    ids: dict[str, list[str]] = {}
    for prediction in predictions:
        for note in prediction.notes:
            ids.setdefault(note, []).append(prediction.id)
    return [f"{note[0].upper()}{note[1:]}{_about(rows, len(predictions))}." for note, rows in ids.items()]


def _about(rows: list[str], total: int) -> str:
    if len(rows) == total:
        return f" (all {total})" if total > 1 else ""
    listed = ", ".join(rows[:3])
    return f" ({listed})" if len(rows) <= 3 else f" ({listed} and {len(rows) - 3} more)"


def _judge(predictions: list[Prediction]) -> list[str]:
    models = list(dict.fromkeys(p.verdict.provider for p in predictions if p.verdict and p.verdict.provider))
    asked = [p for p in predictions if p.verdict]
    if not asked:
        return []
    by = f"Judge: {', '.join(models)}" if models else "Judge: nothing was sent"
    return [f"{by}. The emotion is the recogniser's; what the judge made of it stands under the file."]


def _sources(predictions: list[Prediction]) -> str:
    """The bundle, who says what was said, and whether the voices were adapted."""
    bundle, engine = predictions[0].bundle, predictions[0].engine
    by = "" if engine in (None, "onnxruntime") else f", run by {engine}"
    sources = Counter(p.transcript.source for p in predictions if p.transcript)
    words = ", ".join(source for source, _ in sources.most_common(2))
    if len(sources) > 2:
        words += f" and {count(len(sources) - 2, 'other source')}"
    adapted = next((p.adapted for p in predictions if p.adapted), None)
    voices = {"collection": "adapted to the collection", "speaker": "adapted by speaker", None: "not adapted"}
    return f"Bundle: {bundle}{by}; words: {words or 'none'}; voices {voices[adapted]}."
