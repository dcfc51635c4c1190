"""Write the pictures of the documentation: what the README's command prints, and the pages."""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
COMMAND = [
    "predict",
    "examples/two_voices.flac",
    "--transcripts",
    "examples/two_voices.srt",
    "--format",
    "table",
]
REPORT = ["report", "examples/two_voices.flac", "--turns", "examples/two_voices.srt", "--asr", "none"]
PAGES = {  # docs/report-NAME.png: how the page is looked at
    "light": {"viewport": {"width": 1120, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1120, "height": 860}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


def run(arguments: argparse.Namespace) -> None:
    """Runs the commands in this environment and draws what they give; the pages need Chromium."""
    done = _emojudge(COMMAND)
    console = Console(record=True, width=88, file=io.StringIO())
    console.print(Text(f"$ emojudge {' '.join(COMMAND[:-2])}\n", style="bold"))
    console.print(Text.from_ansi(done.rstrip()))
    console.save_svg(str(ROOT / "docs" / "predict.svg"), title="emojudge")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "two_voices.html")
        _emojudge([*REPORT, "--output", str(page)])
        look(page, ROOT / "docs")
        serve(Path(folder, "data"), ROOT / "docs")


def look(page: Path, folder: Path) -> None:
    """Pictures of a report's page at its fourth passage."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, options in PAGES.items():
            context = browser.new_context(**options)  # type: ignore[arg-type]
            tab = context.new_page()
            tab.goto(page.as_uri())
            for _ in range(3):
                tab.keyboard.press("j")
            tab.wait_for_timeout(500)
            tab.screenshot(path=folder / f"report-{name}.png")
            context.close()
        browser.close()


def serve(data: Path, folder: Path) -> None:
    """Pictures of a server's page: a timeline, one of its passages labelled, and the most doubtful first."""
    from playwright.sync_api import sync_playwright

    from tests.serve.serving import served

    with served(data, "--keep-audio") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in ("light", "dark"):
            context = browser.new_context(**PAGES[name])  # type: ignore[arg-type]
            tab = context.new_page()
            tab.goto(server.url)
            if name == "light":
                tab.set_input_files("#files", [ROOT / REPORT[1], ROOT / REPORT[3]])
                tab.locator(".job .state", has_text="done").wait_for()
                tab.locator(".job a").click()
                tab.locator("#details h2").wait_for()
                tab.keyboard.press("j")
                tab.keyboard.press("1")
                tab.locator(".mark", has_text="by a person").wait_for()
            else:
                tab.locator("nav a", has_text="doubtful").click()
                tab.locator("#details h2").wait_for()
            tab.wait_for_timeout(500)
            tab.screenshot(path=folder / f"serve-{name}.png")
            context.close()
        browser.close()


def _emojudge(command: list[str]) -> str:
    start = "from emojudge.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", start, *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout
