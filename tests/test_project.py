"""The project's own house: tools that must be content, files that must agree with each other."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import emojudge
from emojudge.audio.transcribe import load_transcriber
from emojudge.errors import CorpusError, TranscriptError

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
CHECKS = ("ruff check", "ruff format --check", "mypy", "lint-imports")
LONGEST = 400  # lines of a source file
UNBOUNDED = {"xllamacpp"}  # versions by date: no number promises what the next one keeps
PINNED_EXTRAS = (
    "asr", "dev", "docs", "judge", "local", "media", "openvino", "paper", "parquet", "redact", "report",
    "serve", "stress", "train",
)  # fmt: skip


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def project_files() -> list[Path]:
    """What is, or would be, committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: no telling which files are the project's")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, listed.stderr
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


# ------------------------------------------------------------------------------------------------------ tools


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("check", CHECKS)
def test_checks_pass(check: str) -> None:
    tool, *arguments = check.split()
    program = shutil.which(tool, path=str(Path(sys.executable).parent))
    assert program, f"{tool} is not in this environment: install the extra 'dev'"
    result = run(program, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr


def test_commit_hooks_run_the_same_checks() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert tuple(hook["name"] for hook in hooks) == CHECKS
    for hook in hooks:
        assert hook["entry"].startswith(hook["name"])
        assert hook["language"] == "system"  # the environment's tools, which constraints.txt pins


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    for package in ("sphinx", "furo", "myst_parser"):
        pytest.importorskip(package, reason="needs the extra 'docs'")
    arguments = ("-W", "--keep-going", "-q", "-d", tmp_path / "doctrees", ROOT / "docs", tmp_path / "site")
    result = run(sys.executable, "-m", "sphinx", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    elsewhere = re.compile(r'<(?:script|img|link) [^>]*(?:src|href)="(?:https?:)?//[^"]*')
    for page in (tmp_path / "site").rglob("*.html"):
        assert elsewhere.findall(page.read_text(encoding="utf-8")) == [], page.name


# ------------------------------------------------------------------------------------------------------ files


def test_no_file_names_a_development_machine_or_a_registry() -> None:
    machine = re.compile(rb"/(?:work|root)/")
    registry = re.compile(
        rb"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|deb\.debian\.org|download\.pytorch\.org)\b"
    )
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in project_files()
        for pattern in (machine, registry)
        if (match := pattern.search(path.read_bytes()))
    ]
    assert not found


def test_source_files_are_short() -> None:
    tests = ROOT / "tests"  # as long as their subject needs
    sources = [p for p in project_files() if p.suffix in (".py", ".sh") and not p.is_relative_to(tests)]
    assert ROOT / "src/emojudge/records.py" in sources
    lengths = {str(p.relative_to(ROOT)): len(p.read_bytes().splitlines()) for p in sources}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_version_is_the_newest_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    entries = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert entries
    assert entries[0] == emojudge.__version__


# ----------------------------------------------------------------------------------------------- dependencies


def external(requirements: list[str]) -> list[Requirement]:
    return [r for r in map(Requirement, requirements) if r.name != "emojudge"]


def test_dependencies_are_bounded_above() -> None:
    everything = PROJECT["build-system"]["requires"] + PROJECT["project"]["dependencies"]
    everything += [line for extra in EXTRAS.values() for line in extra]
    bounds = {r.name: {s.operator for s in r.specifier} for r in external(everything)}
    assert {
        name for name, operators in bounds.items() if not operators & {"<", "<=", "==", "~="}
    } == UNBOUNDED


def constraints() -> dict[str, str]:
    """Version by canonical name; fails on anything that is not `name==version`, with a marker perhaps."""
    pins: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", line
        assert "+" not in specifier.version, f"{line}: a local version exists on some machines only"
        assert not requirement.url, line
        assert canonicalize_name(requirement.name) not in pins, f"{line}: pinned twice"
        pins[canonicalize_name(requirement.name)] = specifier.version
    return pins


@pytest.mark.parametrize("extra", ["", *PINNED_EXTRAS])
def test_constraints_pin_every_dependency_within_its_bounds(extra: str) -> None:
    pins = constraints()
    wanted = external(EXTRAS[extra] if extra else PROJECT["project"]["dependencies"])
    assert [r.name for r in wanted if canonicalize_name(r.name) not in pins] == []
    assert [str(r) for r in wanted if pins[canonicalize_name(r.name)] not in r.specifier] == []


# ----------------------------------------------------------------------------------------------- architecture


def rooms_in_code() -> set[str]:
    package = ROOT / "src" / "emojudge"
    modules = {path.stem for path in package.glob("*.py") if path.stem != "__init__"}
    return modules | {path.parent.name + "/" for path in package.glob("*/__init__.py")}


def test_architecture_page_shows_the_rooms_that_exist() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = page.split("## Rooms")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([\w/]+)` \|", rooms, re.MULTILINE)) == rooms_in_code()


def test_architecture_page_shows_the_floors_that_are_checked() -> None:
    (contract,) = (c for c in PROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    floors = "\n".join(layer.replace("emojudge.", "").replace(" | ", " · ") for layer in contract["layers"])
    assert f"```text\n{floors}\n```" in (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_every_room_is_on_some_floor() -> None:
    (contract,) = (c for c in PROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    floors = {name.removeprefix("emojudge.") for layer in contract["layers"] for name in layer.split(" | ")}
    assert {room.rstrip("/") for room in rooms_in_code()} == floors


def test_reference_page_has_every_room() -> None:
    page = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"automodule:: emojudge\.(\w+)", page))
    rooms = {room.rstrip("/") for room in rooms_in_code()}
    assert documented == rooms - {"cli"}  # for people at a terminal: `emojudge --help`


# --------------------------------------------------------------------------------------------- CONTRIBUTING


def examples() -> list[dict[str, Any]]:
    """What each Python example of the page defines."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    defined: list[dict[str, Any]] = []
    for code in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        defined.append({})
        exec(compile(code, "CONTRIBUTING.md", "exec"), defined[-1])
    return defined


def test_corpus_of_the_contributing_page_works(tmp_path: Path) -> None:
    load = examples()[0]["load"]
    for name in ("07_anger_1.wav", "07_boredom_1.wav"):
        (tmp_path / name).touch()
    utterances = load(tmp_path)
    assert [(u.speaker, u.emotion) for u in utterances] == [("mycorpus:07", "angry"), ("mycorpus:07", None)]
    (tmp_path / "07_rage_1.wav").touch()
    with pytest.raises(CorpusError, match="07_rage_1"):
        load(tmp_path)


def test_transcriber_of_the_contributing_page_works(monkeypatch: pytest.MonkeyPatch) -> None:
    load = examples()[1]["load"]
    monkeypatch.setattr(EntryPoint, "load", lambda self: load)
    plugins = EntryPoints([EntryPoint("myengine", "my_package.myengine:load", "emojudge.transcribers")])
    monkeypatch.setattr("emojudge.plugins.entry_points", lambda **_: plugins)
    transcriber = load_transcriber("myengine", language="en")
    assert transcriber is not None
    transcript = transcriber(np.full(8_000, 0.1, dtype=np.float32))
    assert (transcript.source, transcript.language) == (transcriber.name, "en")
    assert transcript.segments[0].end == 0.5
    assert transcriber(np.zeros(8_000, dtype=np.float32)).text == ""
    with pytest.raises(TranscriptError, match="no option"):
        load_transcriber("myengine:large")


# ----------------------------------------------------------------------------------------------------- README


def house(folder: Path, readme: str) -> Path:
    """A project of nothing but a README and the scripts that follow it."""
    for script in ("tools/readme_block.sh", "tools/check_readme.sh", ".ci/run"):
        (folder / script).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / script, folder / script)
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return folder


BLOCKS = """# A project
<!-- main command -->
```sh
python -c 'import sys; print(sys.prefix != sys.base_prefix)' \\
  && pwd
```
<!-- test command -->

```
echo one
echo "$((1 + 1)) passed"
```
"""


def test_readme_has_the_test_command() -> None:
    result = run(ROOT / "tools/readme_block.sh", "test command")
    assert result.returncode == 0, result.stderr
    assert "-c constraints.txt" in result.stdout
    assert "pytest" in result.stdout


def test_readme_block_is_printed_as_it_stands(tmp_path: Path) -> None:
    script = house(tmp_path, BLOCKS) / "tools/readme_block.sh"
    assert run(script, "test command").stdout == 'echo one\necho "$((1 + 1)) passed"\n'
    assert run(script, "main command").stdout.endswith("\\\n  && pwd\n")


@pytest.mark.parametrize(
    "readme",
    [
        "# No comment\n```\necho\n```\n",
        "<!-- test command -->\nSome words first.\n```\necho\n```\n",
        "<!-- test command -->\n```\necho, and no end\n",
        "<!-- test command -->\n```\n```\n",
        "",
    ],
)
def test_readme_without_the_block_is_refused(tmp_path: Path, readme: str) -> None:
    result = run(house(tmp_path, readme) / "tools/readme_block.sh", "test command")
    assert result.returncode == 1
    assert "expected one with the commands" in result.stderr


def test_ci_runs_the_readme_and_fails_with_it(tmp_path: Path) -> None:
    result = run(house(tmp_path, BLOCKS) / ".ci/run", cwd=tmp_path.parent)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "2 passed")
    (tmp_path / "README.md").write_text(BLOCKS.replace("echo one", "false"), encoding="utf-8")
    result = run(tmp_path / ".ci/run")
    assert result.returncode == 1
    assert "2 passed" not in result.stdout.splitlines()
    (tmp_path / "README.md").unlink()
    assert run(tmp_path / ".ci/run").returncode != 0


@pytest.mark.slow
def test_check_readme_follows_each_block_in_a_clone(tmp_path: Path) -> None:
    house(tmp_path, BLOCKS.replace("echo one", "false"))
    (tmp_path / "uncommitted").touch()
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for command in (["init"], ["add", "README.md", "tools", ".ci"], [*author, "commit", "-m", "All"]):
        assert run("git", *command, cwd=tmp_path).returncode == 0
    result = run(tmp_path / "tools/check_readme.sh")
    assert result.returncode == 1
    assert "True\n" in result.stdout  # `python` was that of a virtual environment
    assert re.search(r"^== main command: done after \d+ s$", result.stdout, re.MULTILINE)
    assert re.search(r"^== test command: FAILED after \d+ s$", result.stdout, re.MULTILINE)
    (clone,) = re.findall(r"^(/.*/emojudge)$", result.stdout, re.MULTILINE)
    assert not clone.startswith(str(tmp_path))
    assert not Path(clone).exists()
    assert "uncommitted" in result.stderr
