"""`emojudge doctor --tune`: the ways to run a bundle here, timed, and the one that is remembered."""

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from emojudge.cli.messages import count, printable, say

if TYPE_CHECKING:
    from emojudge.bundle.format import Bundle
    from emojudge.bundle.tuned import Tuned, Way
    from emojudge.tune import Trial, Tuning

FEW = 200  # utterances, below which a changed label in 200 cannot be told from none


def tune_here(bundle: "Bundle", inputs: list[str], as_json: bool) -> None:
    """Time, say what was found, and remember it for this bundle on this machine."""
    from emojudge.bundle.tuned import record, remember
    from emojudge.cli.inputs import gather
    from emojudge.cli.progress import bar
    from emojudge.errors import EmojudgeError
    from emojudge.tune import steps, tune

    if not inputs:
        raise EmojudgeError(
            "--tune",
            found="no recordings",
            expected="some as you will have them, with transcripts if you will have those",
            advice="Whether labels stay can only be told on real speech: emojudge doctor --tune RECORDINGS",
        )
    with tempfile.TemporaryDirectory(prefix="emojudge-") as spool:
        utterances = gather(inputs, Path(spool)).utterances
        if len(utterances) < FEW:
            say(f"{count(len(utterances), 'utterance')}: whether 99.5 % of labels stay takes {FEW} or more")
        words = sum(utterance.transcript is not None for utterance in utterances)
        if bundle.manifest.text and words < len(utterances):
            of = count(len(utterances), "utterance")
            say(f"{words} of {of} have words; of the others, the voice alone is timed")
        with bar("timing", steps(bundle), sys.stderr.isatty()) as advance:
            tuning = tune(bundle, utterances, progress=advance)
    remember(bundle, tuning.tuned)
    if as_json:
        typer.echo(json.dumps(_report(tuning, record(bundle)), indent=2))
        return
    for line in _lines(tuning):
        typer.echo(line)
    typer.echo(f"Remembered in {record(bundle)}; 'emojudge doctor --forget' deletes it.")


def described(tuned: "Tuned | None") -> str:
    """What is remembered, in a line."""
    if tuned is None:
        return "onnxruntime: nothing was tuned here (emojudge doctor --tune RECORDINGS)"
    measured = f"quickest of {tuned.date} on {count(tuned.utterances, 'utterance')}"
    return f"{_name(tuned.ways[0])}, {count(tuned.ways[0].threads, 'thread')}: {measured}"


def _name(way: "Way") -> str:
    return way.engine if way.weights == "own" else f"{way.engine} with {way.weights} weights"


def _lines(tuning: "Tuning") -> list[str]:
    """A table of everything that was tried, the quickest first."""
    plain = tuning.trials[0]
    timed = sorted((trial for trial in tuning.trials if trial.passes), key=lambda trial: trial.seconds)
    lines = [f"{'models run by':32} threads  seconds  as fast  labels kept  scores apart"]
    for trial in timed:
        found = trial.agreement
        assert found is not None
        chosen = "*" if trial.way in tuning.tuned.ways else " "
        lines.append(
            f"{chosen} {_name(trial.way):30} {trial.way.threads:7} {trial.seconds:8.2f} "
            f"{plain.seconds / trial.seconds:7.2f}× {found.share:11.2%} {found.largest:13.4f}"
        )
    absent = {_name(t.way): f"-- {_name(t.way)}: {printable(t.fault)}" for t in tuning.trials if not t.passes}
    passes = max(len(trial.passes) for trial in timed)
    return [
        *lines,
        *absent.values(),
        "",
        f"Medians of {passes} passes over {count(tuning.tuned.utterances, 'utterance')}, taking turns. "
        "What moves too many labels is timed once.",
        "* the quickest of its number of threads that keeps the labels and saves 5 % of onnxruntime's time.",
        f"Chosen: {described(tuning.tuned)}.",
    ]


def _report(tuning: "Tuning", path: Path) -> dict[str, Any]:
    return {
        **tuning.tuned.model_dump(),
        "trials": [_trial(trial) for trial in tuning.trials],
        "remembered_in": str(path),
    }


def _trial(trial: "Trial") -> dict[str, Any]:
    found = trial.agreement
    return {
        **trial.way.model_dump(),
        "passes_s": [round(seconds, 4) for seconds in trial.passes],
        "median_s": round(trial.seconds, 4) if trial.passes else None,
        "labels_kept": found.share if found else None,
        "scores_apart": found.largest if found else None,
        "fault": trial.fault,
    }
