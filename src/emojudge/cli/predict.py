"""`emojudge predict`: recordings and texts in, one prediction each out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emojudge.cli import judge_options as o
from emojudge.cli.choices import Asr, BundleName, Engine, Format, Group, Language, Threads
from emojudge.cli.messages import count, say, utf8

if TYPE_CHECKING:
    from emojudge.cli.inputs import Inputs
    from emojudge.cli.judging import Predict
    from emojudge.client import Client
    from emojudge.recognizer import Recognizer


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUTS",
            help="Recordings, folders, globs in quotes, manifests (.csv, .tsv, .jsonl, .parquet with the "
            "columns file, transcript, speaker, id ...), or - for a recording on standard input.",
            show_default=False,
        ),
    ] = None,
    transcript: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What is said in the one recording.")
    ] = None,
    transcripts: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="What is said: a text, SRT, VTT or Whisper JSON file, a folder of them, or a CSV.",
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Judge a text that has no recording.")
    ] = None,
    asr: Asr = "auto",
    language: Language = None,
    bundle: BundleName = None,
    adapt: Annotated[
        Group | None, typer.Option(help="Adapt to the voices of all recordings, or of each speaker's.")
    ] = None,
    layout: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="Default: table on a terminal, else jsonl.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write a .json, .jsonl, .csv or .txt file."),
    ] = None,
    threads: Threads = 0,
    engine: Engine = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Have an emojudge server predict; its token, if it wants one, from EMOJUDGE_TOKEN.",
        ),
    ] = None,
    judge: o.Name = None,
    judge_settings: o.SettingsFile = None,
    gate: o.GateOption = None,
    threshold: o.Threshold = None,
    ledger: o.LedgerPath = None,
    max_cost: o.MaxCost = None,
    redact: o.Redact = False,
) -> None:
    """Predict the emotion of recordings, of texts, or of both together.

    Exit codes: 0 all done, 1 some inputs failed (each is named, the rest is done), 2 nothing could begin.
    """
    import tempfile

    from emojudge.cli.inputs import check_output
    from emojudge.cli.judged import judged
    from emojudge.cli.judging import Judging, check_server_options, check_speakers, load_recognizer
    from emojudge.cli.output import choose_format, opened, write
    from emojudge.client import Client
    from emojudge.recognizer import Recognizer

    chosen = choose_format(layout, output)
    with tempfile.TemporaryDirectory(prefix="emojudge-") as spool:
        gathered = _gather(inputs or [], Path(spool), text, transcript, transcripts, language)
        if output is not None:
            read = [*(inputs or []), transcripts, *(u.audio for u in gathered.recordings)]
            check_output(output, [path for path in read if path is not None])
        if adapt is Group.SPEAKER:
            check_speakers(gathered)
        if server is not None:
            check_server_options(
                bundle=bundle, adapt=adapt, threads=threads, engine=engine, asr=asr != "auto"
            )
            recognizer: Recognizer | Client = Client(server)
        else:
            recognizer = load_recognizer(gathered, bundle, asr, language, threads, engine)
        # Rows that stream to a terminal would run through the bar.
        bar = sys.stderr.isatty() and not (
            output is None and chosen is not Format.TABLE and sys.stdout.isatty()
        )
        asked = o.Asked(
            judge, judge_settings, None, threshold, gate, ledger=ledger, max_cost=max_cost, redact=redact
        )
        own = recognizer.bundle if isinstance(recognizer, Recognizer) else None
        check = o.make_judge(asked, own) if asked != o.Asked(None) else None
        judging = Judging(gathered, Path(spool), adapt, bar)
        try:
            with (
                opened(output, chosen) as file,
                _predictor(recognizer, output, adapt, language) as predict_all,
            ):
                results = judging.results(predict_all)
                if check is not None:
                    results = judged(results, check, gathered.utterances, own)
                write(results, file, chosen)
        except KeyboardInterrupt:
            say(f"interrupted when {judging.done} of {count(len(gathered.items), 'input')} were done")
            raise typer.Exit(130) from None
    judging.report()
    if judging.failed:
        raise typer.Exit(1)


@contextmanager
def _predictor(
    recognizer: "Recognizer | Client", output: Path | None, adapt: Group | None, language: str | None
) -> "Iterator[Predict]":
    """What predicts; where a file is written, not again what a run before had predicted for it.

    What is adapted depends on all the recordings, and what a server predicts is its own: neither is kept.
    """
    from emojudge.cli.remembering import remembering
    from emojudge.recognizer import Recognizer

    if adapt is not None:
        yield partial(recognizer.predict, adapt_to=adapt.value)
    elif isinstance(recognizer, Recognizer):
        with remembering(recognizer, output, language) as remembered:
            yield remembered.predict
    else:
        yield recognizer.predict


def _gather(
    names: list[str],
    spool: Path,
    text: str | None,
    transcript: str | None,
    transcripts: Path | None,
    language: str | None,
) -> "Inputs":
    """The inputs with their words. Raises EmojudgeError for options that do not go together."""
    from emojudge.cli.inputs import Inputs, add_transcript, add_transcripts, gather
    from emojudge.errors import EmojudgeError
    from emojudge.records import Transcript, Utterance

    if text is not None:
        if names or transcript is not None or transcripts is not None:
            raise EmojudgeError(
                "--text",
                found="other inputs beside it",
                expected="a text alone",
                advice="For the words of a recording, use --transcript.",
            )
        if not text.strip():
            raise EmojudgeError("--text", found="an empty text", expected="words")
        given = Transcript(text=utf8(text), source="given", language=language)
        return Inputs([Utterance(id="text", transcript=given)])
    if not names:
        raise EmojudgeError(
            "predict",
            found="no input",
            expected="recordings, folders, globs, manifests, - or --text",
            advice="See: emojudge predict --help",
        )
    if transcript is not None and transcripts is not None:
        raise EmojudgeError("--transcript", found="--transcripts beside it", expected="one of the two")
    inputs = gather(names, spool)
    if inputs.repeated:
        say(f"{count(inputs.repeated, 'recording')} named more than once, judged once")
    if transcript is not None:
        add_transcript(inputs, Transcript(text=utf8(transcript), source="given", language=language))
    if transcripts is not None:
        found = add_transcripts(inputs, transcripts)
        say(f"{found} of {count(len(inputs.recordings), 'recording')} found a transcript in {transcripts}")
    return inputs
