"""`emojudge serve`: predictions, jobs and live streams over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from emojudge.cli import judge_options as o
from emojudge.cli.choices import Asr, BundleName, Engine, Language


def serve(
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Where to listen; any but this computer's own needs a token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any that is free.")] = 8765,
    bundle: BundleName = None,
    asr: Asr = "auto",
    language: Language = None,
    engine: Engine = None,
    judge: o.Name = None,
    judge_settings: o.SettingsFile = None,
    max_cost: o.MaxCost = None,
    redact: o.Redact = False,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Whoever asks must know what is in it; or set EMOJUDGE_TOKEN."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name under which it may be called, such as a proxy's."),
    ] = None,
    allow_url_prefix: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Fetch recordings below this address, if a client asks for it."),
    ] = None,
    max_upload: Annotated[float, typer.Option(min=0.001, metavar="MB", help="Of one request.")] = 200,
    max_minutes: Annotated[
        float, typer.Option(min=0.01, metavar="MINUTES", help="Of one recording or live stream.")
    ] = 240,
    rate: Annotated[int, typer.Option(min=0, help="Requests a minute of one client; 0: no limit.")] = 1_200,
    workers: Annotated[
        int, typer.Option(min=0, max=1024, help="Batches and decoders at a time; 0: one per core.")
    ] = 0,
    keep_audio: Annotated[
        bool, typer.Option("--keep-audio", help="Keep the audio of jobs, to listen to and to learn from.")
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Jobs, corrections, audit log; by default in the folder for state of your account.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve predictions, jobs and live streams over HTTP, to this computer unless told otherwise.

    What the server can do is in its own document, /openapi.json. Ends at Ctrl-C or SIGTERM, when what was
    begun is answered; jobs go on at the next start.
    """
    import os

    from emojudge.cli.extras import needing

    with needing("serve", "emojudge serve"):
        from emojudge.serve.fetch import check_prefix
        from emojudge.serve.run import serve as run
        from emojudge.serve.settings import Settings, read_token
    from emojudge.recognizer import load

    settings = Settings(
        data=data_dir or _state_folder(),
        host=host,
        port=port,
        token=read_token(token_file),
        hosts=tuple(name.lower() for name in allow_host or ()),
        upload_bytes=round(max_upload * 10**6),
        minutes=max_minutes,
        rate=rate,
        workers=workers or os.cpu_count() or 1,
        url_prefixes=tuple(check_prefix(prefix) for prefix in allow_url_prefix or ()),
        keep_audio=keep_audio,
    )
    # One thread a batch: two batches side by side use two cores better than one batch on both.
    recognizer = load(bundle, asr=asr, language=language, threads=1, engine=engine)
    asked = None
    if judge is not None:
        ledger = settings.data / "judge.sqlite"
        options = o.Asked(judge, judge_settings, ledger=ledger, max_cost=max_cost, redact=redact)
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        asked = o.make_judge(options, recognizer.bundle)
    run(settings, recognizer, asked)


def _state_folder() -> Path:
    """Where programs keep what they know, by the XDG base directory specification."""
    import os

    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "emojudge" / "serve"
