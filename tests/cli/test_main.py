"""The entry: quick to start, and what people can mend is a line and not a traceback."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import typer

import emojudge
from emojudge.cli.main import app
from emojudge.errors import EmojudgeError, TrainingError

Run = Callable[..., Any]
HEAVY = ("numpy", "onnxruntime", "pydantic", "rich", "soundfile", "tokenizers", "torch", "yaml")


def loaded(program: str) -> list[str]:
    """Which of the heavy packages are imported when the program is over."""
    script = f"import sys\n{program}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return result.stdout.split("\n")[-2].split()


def test_the_package_and_the_entry_import_nothing_heavy() -> None:
    assert loaded("import emojudge") == []
    assert loaded("import emojudge.cli.main") == []
    assert "pydantic" in loaded("import emojudge; emojudge.Prediction")


def test_help_names_the_verbs(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(verb in result.stdout for verb in ("predict", "train", "doctor", "bundle"))


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"emojudge {emojudge.__version__}\n"


def test_no_verb_and_unknown_ones_are_usage_errors(run: Run) -> None:
    assert run().exit_code == 2
    assert run("predikt").exit_code == 2


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            EmojudgeError("a\x1b.wav", found="this", expected="that"),
            2,
            "a\\x1b.wav: found this; expected that.",
        ),
        (TrainingError("run", found="a loss of nan", expected="a number"), 1, "a loss of nan"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "secret"), 1, "secret: Permission denied"),
    ],
)
def test_errors_are_one_line(error: BaseException, code: int, message: str, run: Run) -> None:
    @app.command("fail", hidden=True)
    def fail() -> None:
        raise error

    try:
        result = run("fail")
    finally:
        app.registered_commands.pop()
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.splitlines() == [f"emojudge: {message}"] or message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_error_of_ours_is_not_hidden(run: Run) -> None:
    @app.command("fail", hidden=True)
    def fail() -> None:
        raise ZeroDivisionError

    try:
        result = run("fail")
    finally:
        app.registered_commands.pop()
    assert isinstance(result.exception, ZeroDivisionError)


def test_options_do_not_share_a_name() -> None:
    for command in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
        names = [name for parameter in command.params for name in parameter.opts]
        assert len(names) == len(set(names))


# ----------------------------------------------------------------------------------------- the public face


def test_every_public_name_is_there_and_listed() -> None:
    for name in emojudge.__all__:
        assert getattr(emojudge, name) is not None
    assert set(emojudge.__all__) <= set(dir(emojudge))
    assert issubclass(emojudge.AudioError, emojudge.EmojudgeError)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'judge_all'"):
        emojudge.judge_all  # noqa: B018
