"""The page of a timeline in a real browser, opened from a file: it plays, obeys keys, asks for nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emojudge.audio.decode import SAMPLE_RATE
from emojudge.emotions import EMOTIONS, Emotion
from emojudge.page.report import MODULES, embedded, joined, render, slim
from emojudge.page.sound import MOST_PEAKS, Sound, Sounded
from emojudge.records import (
    Attributes,
    Failure,
    Opinion,
    Passage,
    Point,
    Prediction,
    Timeline,
    Transcript,
    Verdict,
)
from tests.page.watched import Watched

HOSTILE = """</script><img src=x onerror="window.hit=1"><!--<script>window.hit=2</script>'"&amp;\u2028"""


def scores(emotion: Emotion, share: float = 0.7) -> dict[Emotion, float]:
    return {name: share if name == emotion else (1 - share) / 7 for name in EMOTIONS}


def passage(
    number: int, emotion: Emotion, share: float = 0.7, verdict: Emotion | None = None, words: str = ""
) -> Passage:
    feeling = Attributes(valence=2.0 + number / 10, arousal=5.0, dominance=4.0)
    opinion = Opinion(logits=scores(emotion), scores=scores(emotion, share), attributes=feeling)
    judged = verdict and Verdict(
        id=str(number), emotion=verdict, before=emotion, scores=scores(verdict), changed=verdict != emotion,
        status="changed" if verdict != emotion else "confirmed", proposed=verdict, confidence=0.9,
        reason=f"Because {HOSTILE}", provider="echo", model="echo", notes=(HOSTILE,),
    )  # fmt: skip
    prediction = Prediction(
        id=f"call#{number}", emotion=emotion, scores=scores(emotion, share), attributes=feeling,
        attributes_from={"valence": "derived", "arousal": "derived", "dominance": "derived"},
        modalities=("audio", "text"), audio=opinion,
        text=opinion.model_copy(update={"scores": scores("sad")}),
        transcript=Transcript(text=words or f"Sentence {number}.", source="given"), bundle="b",
        notes=(HOSTILE,), verdict=judged,
    )  # fmt: skip
    who = HOSTILE if number == 3 else f"speaker {number % 2}"
    return Passage(start=2.0 * number, end=2.0 * number + 1.6, speaker=who, prediction=prediction)


TIMELINE = Timeline(
    id=f"calls/{HOSTILE.replace('/', '|')}.wav",
    seconds=12.0,
    bundle=HOSTILE,
    passages=(
        passage(0, "angry"),
        passage(1, "happy", 0.3),
        passage(2, "neutral", verdict="fear"),
        passage(3, "contempt", words=HOSTILE),
        passage(4, "surprise", 0.45),
        passage(5, "disgust", verdict="disgust"),
    ),
    points=tuple(
        Point(time=0.5 + n, attributes=Attributes(valence=2, arousal=5, dominance=4)) for n in range(11)
    ),
    failures=(Failure(id="call#t=1,2", error=HOSTILE),),
    notes=(HOSTILE,),
)


def sounded(keep: bool = True) -> Sounded:
    with Sound(keep=keep) as sound:
        at = np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE
        sound((0.5 * np.sin(2 * np.pi * 220 * at) * np.abs(np.sin(at))).astype(np.float32))
        return sound.finish()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "call.html"
    path.write_text(render(TIMELINE, sounded(), version="1.2.3"), encoding="utf-8")
    return path


class Tab(Watched):
    """A page opened from its file."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        super().__init__(browser, **options)
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#details h2, #details p")

    def __enter__(self) -> "Tab":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def until(self, expression: str) -> None:
        """Wait for what is true in the page; Playwright's own way would need its policy to allow eval."""
        self._come(lambda: self.page.evaluate(expression), expression)

    def shows(self, selector: str, text: str) -> None:
        """Events come when the browser has time for them, so that what follows from one is waited for."""
        self._come(lambda: self.page.inner_text(selector) == text, f"{selector} with {text!r}")

    def at(self, seconds: float, when: str | None = None, within: float = 0.05) -> None:
        """That the page comes to show this time, and the passage that begins at `when`."""
        self._come(lambda: self.time() == pytest.approx(seconds, abs=within), f"{seconds} s on its clock")
        if when is not None:
            self.shows("[aria-current] .when", when)

    def _come(self, there: Callable[[], bool], what: str) -> None:
        for _ in range(200):
            if there():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"not within 10 s: {what}")


@pytest.fixture
def tab(chromium: Any, report: Path) -> Any:
    with Tab(chromium, report) as opened:
        yield opened
        assert opened.complaints == []
        assert [url for url in opened.asked if not url.startswith(("file:", "blob:"))] == []
        assert opened.page.evaluate("window.hit") is None


def test_hostile_text_stays_text(tab: Tab) -> None:
    page = tab.page
    assert page.locator("img, iframe, object, embed, link, form").count() == 0
    assert page.locator("script").count() == 3  # the data, the sound, ours
    shown = " ".join(HOSTILE.split())
    assert shown in " ".join(page.inner_text("#passages").split())
    page.locator(".passage").nth(2).click()
    assert f"Because {shown}" in " ".join(page.inner_text("#details").split())
    notes = " ".join(page.locator("section", has_text="Notes").last.inner_text().split())
    assert notes == f"Notes {shown} {shown}"
    assert "onerror=" in page.title()


def test_a_click_goes_there_and_playing_moves_on(tab: Tab) -> None:
    page = tab.page
    page.locator(".passage").nth(2).click()
    tab.at(4.0, "0:04.0")
    assert page.evaluate("document.getElementById('audio').duration") == pytest.approx(12.0, abs=0.05)
    page.click("#play")
    tab.until("document.getElementById('audio').currentTime > 4.4")
    tab.shows("#play", "Pause")
    tab.shows("[aria-current] .when", "0:06.0")
    page.click("#play")
    tab.shows("#play", "Play")
    box = page.locator("#main").bounding_box()
    page.locator("#main").click(position={"x": box["width"] * 0.5, "y": 20})
    tab.at(6.0, within=0.1)


def test_the_keyboard_does_all_of_it(tab: Tab) -> None:
    page = tab.page
    page.keyboard.press("j")
    tab.at(2.0, "0:02.0")
    page.keyboard.press("j")
    page.keyboard.press("k")
    tab.at(2.0, "0:02.0")
    page.keyboard.press("ArrowRight")
    tab.at(7.0, "0:06.0")
    page.keyboard.press("ArrowLeft")
    tab.at(2.0)
    page.keyboard.press("d")
    tab.at(8.0, "0:08.0")  # the next one with a low score
    page.keyboard.press("d")
    tab.at(2.0, "0:02.0")  # and round again
    page.keyboard.press(" ")
    tab.until("!document.getElementById('audio').paused")
    page.keyboard.press(" ")
    tab.until("document.getElementById('audio').paused")
    page.keyboard.press("r")  # the passage alone: it ends with it
    tab.until("!document.getElementById('audio').paused")
    tab.until("document.getElementById('audio').paused")
    tab.at(3.6, "0:02.0", within=0.1)
    page.focus("#seek")
    page.keyboard.press("Home")
    tab.at(0)


def test_both_opinions_and_what_the_judge_changed_are_there(tab: Tab) -> None:
    page = tab.page
    page.locator(".passage").nth(2).click()
    text = page.inner_text("#details")
    assert "The judge changed it: neutral → fear." in text
    assert "Confidence 90 %" in text
    assert page.locator("#details thead").first.inner_text().split() == [
        "emotion", "voice", "words", "fused", "judged",
    ]  # fmt: skip
    assert "the voice sounds neutral, the words read sad" in text
    assert "judge: neutral → fear" in page.inner_text(".passage >> nth=2")
    assert "doubtful" in page.inner_text(".passage >> nth=1")
    assert "doubtful" not in page.inner_text(".passage >> nth=0")
    table = page.locator("#speakers table").inner_text()
    # Happy and disgust, 1.6 s each.
    assert re.search(r"speaker 1\s+0:03\s+0 %\s+50 %(\s+0 %){2}\s+50 %", table)


def test_without_sound_the_rest_works(chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "silent.html"
    path.write_text(render(TIMELINE, sounded(keep=False), version="1"), encoding="utf-8")
    with Tab(chromium, path) as tab:
        assert tab.page.is_disabled("#play")
        tab.page.locator(".passage").nth(3).click()
        assert tab.time() == pytest.approx(6.0)
        assert "without the recording" in tab.page.inner_text("#playing")
        assert tab.complaints == []
        assert tab.asked == [path.as_uri()]


def test_a_long_recording_is_played_from_beside_the_page(chromium: Any, tmp_path: Path) -> None:
    import soundfile

    name = "a call #1 & more?.flac"
    soundfile.write(tmp_path / name, np.zeros(3 * SAMPLE_RATE, np.float32), SAMPLE_RATE)
    path = tmp_path / "beside.html"
    path.write_text(render(TIMELINE, sounded(keep=False), version="1", beside=name), encoding="utf-8")
    with Tab(chromium, path) as tab:
        tab.until("document.getElementById('audio').duration > 2.9")
        assert tab.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(
    chromium: Any, report: Path, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra 'dev'")
    size = {"width": width, "height": 800}
    with Tab(chromium, report, color_scheme=scheme, viewport=size, bypass_csp=True) as tab:
        tab.page.locator(".passage").nth(2).click()
        found = axe.Axe().run(tab.page).response["violations"]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in found] == []
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_empty_timeline_says_so(chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "empty.html"
    path.write_text(
        render(Timeline(id="x", seconds=0.0, bundle="b"), Sounded(b"", 100.0, None), version="1"),
        encoding="utf-8",
    )
    with Tab(chromium, path) as tab:
        assert "No speech was found" in tab.page.inner_text("#details")
        assert tab.complaints == []


def test_the_page_is_whole_without_a_browser_too(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert not re.findall(r"(?:src|href)=\"", page)
    assert "http" not in re.sub(r"http-equiv", "", page.split('id="sound"')[0])
    (data,) = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data)["timeline"] == slim(TIMELINE.model_dump(mode="json"))


def test_no_two_modules_define_the_same_name() -> None:
    """They become one, so that they may not."""
    script = joined()
    names = re.findall(r"^(?:export )?(?:const|function\*?|class) (\w+)", script, re.MULTILINE)
    assert len(names) == len(set(names)) > 20
    assert "import " not in re.sub(r"//.*", "", script)
    assert MODULES[-1] == "report.js"
    assert embedded("</script>") == '"\\u003c/script>"'


def test_peaks_and_sound_are_of_the_whole_recording_and_bounded() -> None:
    found = sounded()
    assert found.peaks_per_second == 100
    assert len(found.peaks) == 1200
    assert max(found.peaks) in (127, 128)
    assert found.ogg is not None
    with Sound(keep=False) as sound:
        for _ in range(MOST_PEAKS // 100 // 10 + 30):
            sound(np.full(10 * SAMPLE_RATE, 0.25, np.float32))
        sound(np.full(50, -1.0, np.float32))
        long = sound.finish()
    assert len(long.peaks) <= MOST_PEAKS
    assert long.peaks_per_second == 50
    assert (long.peaks[0], long.peaks[-1]) == (64, 255)
    assert long.ogg is None
