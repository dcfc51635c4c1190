"""`emojudge report`: long recordings as timelines: a page to look at, or data."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from emojudge.cli import judge_options as o
from emojudge.cli.choices import Asr, BundleName, Engine, Language, Layout, Threads
from emojudge.cli.messages import count, say


def report(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUTS",
            help="Recordings of any length, folders, globs in quotes, or - for one on standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="A .html, .json, .jsonl, .csv or .srt file; of several recordings, a folder for such files.",
        ),
    ] = None,
    layout: Annotated[
        Layout | None,
        typer.Option("--format", "-f", help="Default: what the file's name says; html in a folder."),
    ] = None,
    turns: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Cut at these turns instead of at pauses: RTTM, TextGrid, SRT, VTT or WhisperX JSON, with "
            "their speakers and words; or a folder with a file of each recording's name.",
        ),
    ] = None,
    diarise: Annotated[
        str | None,
        typer.Option(
            metavar="pyannote:FOLDER", help="Cut at the turns that this model finds (extra 'diarise')."
        ),
    ] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="What is said, with times: SRT, VTT, Whisper JSON, or a folder of such; cut at pauses.",
        ),
    ] = None,
    asr: Asr = "auto",
    language: Language = None,
    bundle: BundleName = None,
    audio: Annotated[
        bool, typer.Option("--audio/--no-audio", help="Put the recording into the page, to listen to.")
    ] = True,
    threads: Threads = 0,
    engine: Engine = None,
    judge: o.Name = None,
    judge_settings: o.SettingsFile = None,
    gate: o.GateOption = None,
    threshold: o.Threshold = None,
    ledger: o.LedgerPath = None,
    max_cost: o.MaxCost = None,
    redact: o.Redact = False,
) -> None:
    """Follow the emotions of long recordings: segments with times, words, scores and verdicts.

    Exit codes: 0 all done, 1 something failed (it is named, the rest is done), 2 nothing could begin.
    """
    import tempfile

    from emojudge.audio.turns import turns_for
    from emojudge.cli.inputs import check_output, gather
    from emojudge.cli.reporting import Reporting, load_models, targets

    with tempfile.TemporaryDirectory(prefix="emojudge-") as spool:
        gathered = gather(inputs, Path(spool))
        wanted = targets(gathered, output, layout)
        for target in wanted.files.values():
            named = [turns, transcript, *(u.audio for u in gathered.recordings)]
            if target is not None:
                check_output(target, [path for path in named if path is not None])
        find_turns = turns_for(turns) if turns else None
        find_words = turns_for(transcript) if transcript else None
        models = load_models(turns, diarise, transcript, asr, language, bundle, threads, engine)
        asked = o.Asked(
            judge, judge_settings, None, threshold, gate, ledger=ledger, max_cost=max_cost, redact=redact
        )
        asks = asked != o.Asked(None)
        reporting = Reporting(
            models,
            o.make_judge(asked, models.recognizer.bundle) if asks else None,
            find_turns,
            find_words,
            wanted.layout,
            audio,
            shown=sys.stderr.isatty(),
        )
        failed = reporting.run(gathered, wanted.files)
    if failed:
        say(f"{failed} of {count(len(gathered.items), 'recording')} did not come out whole")
        raise typer.Exit(1)
