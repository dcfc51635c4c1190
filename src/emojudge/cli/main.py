"""The command line's entry: one verb per file.

The verbs' modules import typer alone at their top and what they need when they run, so that `--help` is
quick and `predict` never waits for what only `train` uses.
"""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from emojudge.cli.bulk import bulk
from emojudge.cli.bundle import app as bundle_app
from emojudge.cli.corpus import app as corpus_app
from emojudge.cli.doctor import doctor
from emojudge.cli.evaluate import app as evaluate_app
from emojudge.cli.judge import app as judge_app
from emojudge.cli.messages import say
from emojudge.cli.predict import predict
from emojudge.cli.report import report
from emojudge.cli.reproduce import reproduce
from emojudge.cli.serve import serve
from emojudge.cli.stress import stress
from emojudge.cli.submit import submit
from emojudge.cli.train import train
from emojudge.errors import EmojudgeError, TrainingError

# Seconds after which a thread that runs Python lets another one: decoders and models, which run outside of
# it, wait that long for their next piece. Ten times less than Python's own.
HANDOVER = 0.0005
INTERRUPTED, BROKEN_PIPE = 130, 141  # what a shell reports for a program ended by SIGINT, SIGPIPE


class Verbs(TyperGroup):
    """Runs a verb; what people can cause and mend is one line on stderr and an exit code, no traceback."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except EmojudgeError as error:
            say(str(error))
            raise typer.Exit(1 if isinstance(error, TrainingError) else 2) from None
        except BrokenPipeError:  # the reader, such as `head`, has what it wanted
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - Python flushes it at exit
            raise typer.Exit(BROKEN_PIPE) from None
        except OSError as error:  # a full disk, a folder that may not be read
            say(f"{error.filename or 'input or output'}: {error.strerror or error}")
            raise typer.Exit(1) from None


app = typer.Typer(
    name="emojudge",
    cls=Verbs,
    help="Recognise emotion in speech, from the voice and the words.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from emojudge import __version__

        typer.echo(f"emojudge {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Recognise emotion in speech, from the voice and the words."""


app.command("predict")(predict)
app.command("bulk")(bulk)
app.command("report")(report)
app.command("doctor")(doctor)
app.command("train")(train)
app.command("reproduce")(reproduce)
app.command("submit")(submit)
app.command("stress")(stress)
app.command("serve")(serve)
app.add_typer(corpus_app, name="corpus", help="Check, count and split a corpus.")
app.add_typer(
    judge_app, name="judge", help="Let a language model check predictions; tune it; see its ledger."
)
app.add_typer(
    evaluate_app, name="evaluate", help="Figures of predictions, with intervals, paired tests and slices."
)
app.add_typer(bundle_app, name="bundle", help="Show, verify or make a bundle of models.")


def main() -> None:
    """The program `emojudge`."""
    sys.setswitchinterval(HANDOVER)
    app(prog_name="emojudge")
