"""Files for containers and systemd, checked as far as they can be without an engine."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from emojudge.cli.main import app

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"


def options_of(text: str) -> set[str]:
    return set(re.findall(r"--[a-z-]+", text))


def known_options() -> set[str]:
    from typer.main import get_command

    command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    return {name for parameter in command.params for name in parameter.opts}


def test_hadolint_is_content() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("hadolint is not in this environment: install the extra 'dev'")
    done = subprocess.run([program, DOCKER / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_image_would_find_what_it_copies() -> None:
    """A plan of the build: each file is there and let in, each extra exists, each option is one."""
    text = (DOCKER / "Dockerfile").read_text()
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()
    }
    assert copied
    assert copied <= let_in
    assert all((ROOT / name).exists() for name in let_in)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"]} <= copied
    extras = re.search(r'"\.\[([\w,]+)\]"', text)
    assert extras
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    entry = re.search(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)
    assert entry
    assert options_of(entry[1]) <= known_options()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)


def test_compose_gives_away_nothing() -> None:
    service = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["emojudge"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert options_of(" ".join(service["command"])) <= known_options()
    assert (DOCKER / service["build"]["context"]).resolve() == ROOT


def test_systemd_is_content(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    text = (DOCKER / "emojudge.service").read_text()
    start = re.search(r"^ExecStart=(.+)$", text, re.MULTILINE)
    assert start
    assert options_of(start[1]) <= known_options()
    if program is None:
        pytest.skip("there is no systemd-analyze")
    unit = tmp_path / "emojudge.service"
    unit.write_text(text.replace("/opt/emojudge/bin/emojudge", "/bin/true"))
    done = subprocess.run([program, "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    command = [program, "security", "--offline=yes", "--threshold=20", unit]  # a tenth of exposure each
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:]
