"""`emojudge doctor`: what is installed, and whether it works without a network."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emojudge.cli.messages import printable
from emojudge.errors import EmojudgeError

if TYPE_CHECKING:
    from emojudge.cli.extras import Extra

State = Literal["works", "absent", "broken"]
MARKS: dict[State, str] = {"works": "ok", "absent": "--", "broken": "!!"}


@dataclass(frozen=True)
class Check:
    """One thing that was tried."""

    name: str
    state: State
    found: str
    advice: str = ""
    needed: bool = True  # for predictions from recordings in the formats that need no extra

    @property
    def fatal(self) -> bool:
        return self.needed and self.state != "works"


def doctor(
    recordings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECORDINGS]", help="With --tune: recordings, folders or manifests.", show_default=False
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune", help="Find the quickest way to run the models here that keeps 99.5 % of the labels."
        ),
    ] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Forget what --tune found.")] = False,
    bundle: Annotated[
        str | None,
        typer.Option(metavar="BUNDLE", help="With --tune or --forget: models instead of the embedded ones."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that predictions work here, offline, and say what the extras would add.

    With --tune, time what can run the models, on your recordings, and remember the quickest: whoever names no
    --engine then gets it. Nothing is remembered otherwise.

    Exit code 0 if the embedded models can judge a recording, else 1.
    """
    import json

    from emojudge.cli.extras import extras

    if tune or forget:
        _tuning(recordings or [], tune, forget, bundle, as_json)
        return
    if recordings or bundle:
        raise EmojudgeError(
            "doctor", found="recordings or --bundle", expected="--tune or --forget beside them"
        )
    checks = [_checked(name, check, needed) for name, check, needed in CHECKS]
    optional = extras()
    works = not any(check.fatal for check in checks)
    if as_json:
        report = {
            "works": works,
            "checks": [asdict(check) for check in checks],
            "extras": [
                {**asdict(e), "coming": e.coming, "installed": e.installed, "command": e.command}
                for e in optional
            ],
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        for line in [*_lines(checks), "", "Extras", *_extra_lines(optional), "", _verdict(works)]:
            typer.echo(line)
    if not works:
        raise typer.Exit(1)


def _tuning(recordings: list[str], tune: bool, forget: bool, name: str | None, as_json: bool) -> None:
    from emojudge.bundle.format import Bundle
    from emojudge.bundle.tuned import forget as forget_tuned
    from emojudge.cli.tuning import tune_here

    bundle = Bundle.open(name)
    if tune and forget:
        raise EmojudgeError("--forget", found="--tune beside it", expected="one of the two")
    if tune:
        tune_here(bundle, recordings, as_json)
    else:
        typer.echo("forgotten" if forget_tuned(bundle) else "nothing was remembered")


def _checked(name: str, check: Callable[[], Check | str], needed: bool) -> Check:
    try:
        result = check()
    except EmojudgeError as error:
        return Check(name, "broken", f"{error.where}: {error.found}", error.advice, needed)
    except Exception as error:  # a doctor reports what is broken, whatever it is
        return Check(name, "broken", f"{type(error).__name__}: {error}", needed=needed)
    return result if isinstance(result, Check) else Check(name, "works", result, needed=needed)


def _python() -> str:
    import platform

    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _emojudge() -> str:
    from emojudge import __version__

    return __version__


def _onnxruntime() -> str:
    import onnxruntime

    return f"{onnxruntime.__version__} ({', '.join(onnxruntime.get_available_providers())})"


def _sound() -> str:
    """Decodes what it encoded, in the formats that people have most."""
    import io

    import soundfile

    from emojudge.audio.decode import SAMPLE_RATE, decode
    from emojudge.cli.trial import clip

    formats = [name for name in ("WAV", "FLAC", "OGG", "MP3") if name in soundfile.available_formats()]
    for name in formats:
        encoded = io.BytesIO()
        soundfile.write(encoded, clip(), SAMPLE_RATE, format=name)
        decode(encoded.getvalue())
    versions = f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}"
    return f"{versions}: {', '.join(formats)}"


def _bundle() -> str:
    from emojudge.bundle.format import Bundle

    bundle = Bundle.open()
    return f"{bundle.manifest.name}, {len(bundle.manifest.hashes)} files with the hashes of its manifest"


def _prediction() -> str:
    from emojudge.bundle.format import Bundle
    from emojudge.cli.trial import try_out

    return f"of a generated clip: {try_out(Bundle.open())}"


def _engine() -> str:
    from emojudge.bundle.format import Bundle
    from emojudge.bundle.tuned import remembered
    from emojudge.cli.tuning import described

    return described(remembered(Bundle.open()))


def _media() -> Check | str:
    """Decodes an M4A that it encoded."""
    try:
        import av
    except ImportError:
        return Check("media by FFmpeg", "absent", "PyAV is not installed", _install("media"), needed=False)
    import io

    import numpy as np

    from emojudge.audio.decode import SAMPLE_RATE, decode
    from emojudge.cli.trial import clip

    encoded = io.BytesIO()
    with av.open(encoded, "w", format="ipod") as container:
        stream: Any = container.add_stream("aac", rate=SAMPLE_RATE)
        frame = av.AudioFrame.from_ndarray(np.atleast_2d(clip()), format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    seconds = decode(encoded.getvalue()).seconds
    return f"PyAV {av.__version__}: M4A, MP4, WebM, AAC ({seconds:.1f} s of M4A decoded)"


def _transcriber() -> Check | str:
    """The engine that `predict` would take, tried on the clip."""
    from emojudge.audio.transcribe import load_transcriber
    from emojudge.cli.trial import clip

    transcriber = load_transcriber()
    if transcriber is None:
        found = "no engine that works offline: without transcripts, the voice alone is judged"
        return Check("transcription", "absent", found, _install("asr"), needed=False)
    transcriber(clip())
    return f"{transcriber.name}, offline"


def _install(extra: str) -> str:
    return f"pip install 'emojudge[{extra}]'"


CHECKS: list[tuple[str, Callable[[], Check | str], bool]] = [
    ("python", _python, True),
    ("emojudge", _emojudge, True),
    ("onnxruntime", _onnxruntime, True),
    ("sound files", _sound, True),
    ("embedded bundle", _bundle, True),
    ("prediction", _prediction, True),
    ("engine", _engine, False),
    ("transcription", _transcriber, False),
    ("media by FFmpeg", _media, False),
]


def _lines(checks: list[Check]) -> list[str]:
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{MARKS[check.state]}  {check.name:{width}}  {printable(check.found)}")
        if check.advice:
            lines.append(f"    {'':{width}}  {printable(check.advice)}")
    return lines


def _extra_lines(optional: "list[Extra]") -> list[str]:
    width = max((len(extra.name) for extra in optional), default=0)
    lines = []
    for extra in optional:
        mark = "  " if extra.coming else MARKS["works" if extra.installed else "absent"]
        lines.append(f"{mark}  {extra.name:{width}}  {extra.adds}")
        if not extra.installed and not extra.coming:
            lines.append(f"    {'':{width}}  lacks {', '.join(extra.missing)}: {extra.command}")
    return lines


def _verdict(works: bool) -> str:
    return "Predictions work here." if works else "Predictions do not work here: see the lines marked !!."
