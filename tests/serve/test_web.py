"""The page of a running server in a real browser: what people do with it, from a recording to a corpus."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emojudge.corpora.table import load
from emojudge.emotions import EMOTIONS, Emotion
from emojudge.records import Attributes, Opinion, Passage, Point, Prediction, Timeline, Transcript, Verdict
from emojudge.serve.schema import Job
from tests.page.watched import Watched
from tests.serve.serving import Server, served, wav

SPEECH = Path(__file__).parents[2] / "examples" / "two_voices.flac"
HOSTILE = """</script><img src=x onerror="window.hit=1"><!--<script>window.hit=2</script>'"&amp;"""
TOKEN = "only-for-the-tests-of-the-page"
JOB = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of their own: what others corrected would be counted on the page."""
    pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
    data = tmp_path_factory.mktemp("serve") / "data"
    with served(data, "--judge", "echo", "--keep-audio", "--rate", "0") as running:
        yield running


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium with a microphone that hears the example."""
    microphone = tmp_path_factory.mktemp("microphone") / "speech.wav"
    samples, rate = soundfile.read(SPEECH, dtype="float32")
    soundfile.write(microphone, samples, rate, subtype="PCM_16")
    browser = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    )
    yield browser
    browser.close()


class Tab(Watched):
    """The server's page."""

    def __init__(self, browser: Any, server: Server, view: str = "", **options: Any) -> None:
        super().__init__(browser, **options)
        self.server = server
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("dialog", lambda dialog: dialog.accept())
        self.page.goto(f"{server.url}/{view}")

    def see(self, selector: str, text: str | None = None) -> Any:
        """Wait until it is there, with this text in it."""
        found = self.page.locator(selector, has_text=text).first
        found.wait_for()
        return found

    def upload(self, *files: tuple[str, bytes]) -> None:
        self.see("#drop")
        self.page.set_input_files(
            "#files", [{"name": name, "mimeType": "audio/wav", "buffer": content} for name, content in files]
        )

    def open(self, name: str) -> str:
        """The timeline of a recording that was heard; its job's id."""
        self.see(".job", name).locator(".state", has_text="done").wait_for()
        self.page.locator(".job a", has_text=name).first.click()
        self.see("#details h2")
        return str(self.page.url.split("/")[-1])

    def strangers(self) -> list[str]:
        """What was asked of others than the server."""
        own = (self.server.url, self.server.url.replace("http", "ws", 1), "blob:")
        return [url for url in self.asked if not url.startswith(own)]


@pytest.fixture
def tab(browser: Any, server: Server) -> Iterator[Tab]:
    opened = Tab(browser, server)
    yield opened
    assert opened.complaints == []
    assert opened.strangers() == []
    assert opened.page.evaluate("window.hit") is None
    opened.context.close()


def spoken(seconds: float) -> np.ndarray:
    """The beginning of the example `(samples,)`, at 16 kHz."""
    samples, rate = soundfile.read(SPEECH, dtype="float32")
    assert rate == 16_000
    return np.resize(samples, int(seconds * rate))


def test_from_a_file_to_a_corpus(tab: Tab, server: Server, tmp_path: Path) -> None:
    page = tab.page
    tab.upload(("a call.wav", wav(spoken(20.0))))
    job = tab.open("a call.wav")
    passages = server.ask("GET", f"/v1/jobs/{job}").json["timeline"]["passages"]
    assert page.locator(".passage").count() == len(passages) >= 3

    # Hear the second passage, alone: it stops at its end, and is still the one that is looked at.
    page.locator(".passage").nth(1).click()
    assert tab.time() == pytest.approx(passages[1]["start"], abs=0.06)
    page.keyboard.press("r")
    tab.see("#play", "Pause")
    tab.see("#play", "Play")
    assert tab.time() == pytest.approx(passages[1]["end"], abs=0.1)
    assert page.locator(".passage").nth(1).get_attribute("aria-current") == "true"
    drawn = (
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(v => v)"
    )
    assert page.locator("#main").evaluate(drawn)

    # Correct it by a key; it is so after a reload, too; take it back, and correct it again.
    page.keyboard.press("5")
    tab.see(".passage .mark", "labelled by a person")
    tab.see("#export", "(1)")
    page.reload()
    tab.see(".passage .mark", "labelled by a person")
    page.keyboard.press("j")
    tab.see("#labelling", f"the models said {passages[1]['prediction']['emotion']}")
    assert page.locator('[aria-pressed="true"]').inner_text().endswith("fear")
    page.keyboard.press("u")
    tab.see("#export", "(0)")
    assert page.is_disabled("#export")
    page.fill("#words", HOSTILE)
    page.locator(".labels button", has_text="sad").click()
    tab.see(".passage .words", HOSTILE)
    tab.see("#export", "(1)")
    page.keyboard.press("j")
    page.keyboard.press("c")  # confirmed as it is
    tab.see("#export", "(2)")

    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "corrections.zip"
    zipfile.ZipFile(download.value.path()).extractall(tmp_path)
    first, second = load(tmp_path)
    assert first.emotion == "sad"
    assert first.transcript is not None
    assert first.transcript.text == HOSTILE
    assert second.emotion == passages[2]["prediction"]["emotion"]
    for utterance in (first, second):
        assert utterance.audio is not None
        assert Path(str(utterance.audio)).stat().st_size > 10_000
    for place in (1, 2):
        assert server.ask("DELETE", f"/v1/corrections/{job}/{place}").status == 204


def test_files_that_come_together_fail_alone_and_go_when_asked(tab: Tab, server: Server) -> None:
    page = tab.page
    long = "<img src=x onerror=window.hit=3> & co.wav"
    tab.upload(
        ("no.wav", b"%PDF-1.7 ..."),
        (long, wav(spoken(400.0), subtype="PCM_16")),
        ("short.wav", wav(spoken(2.0))),
    )
    broken = tab.see(".job.broken", "no.wav")
    assert "PDF" in broken.inner_text()
    broken.locator("button", has_text="Dismiss").click()
    row = tab.see(".job", "being heard")
    assert long in row.inner_text()
    page.locator(".job", has_text=long).locator("progress[value]").wait_for(state="attached")
    row.locator("a").click()
    tab.see("#passages .passage")  # what was found so far
    tab.see("#status", "heard so far")
    page.click("#cancel")
    tab.see("#labelling", "when all of the recording has been heard")
    page.go_back()
    tab.see(".job", "cancelled")
    tab.see(".job .state", "done")
    for name in (long, "short.wav"):
        page.locator(".job", has_text=name).locator("button", has_text="Delete").click()
        page.locator(".job", has_text=name).wait_for(state="detached")
    assert not {"short.wav", long} & {job["name"] for job in server.ask("GET", "/v1/jobs").json["jobs"]}
    assert "422" in tab.complaints.pop(0)  # Chromium's own, of the PDF


def test_what_the_microphone_hears_is_followed_and_becomes_a_recording(tab: Tab, server: Server) -> None:
    page = tab.page
    page.click("#record")
    tab.see("#record", "Stop")
    tab.see("#livepassages .passage")  # while it goes on
    page.click("#record")
    tab.see("#livenote", "among the recordings")
    job = tab.open("recording 20")
    found = server.ask("GET", f"/v1/jobs/{job}").json
    assert found["timeline"]["passages"]
    assert float(page.get_attribute("#seek", "max")) == found["timeline"]["seconds"] > 2
    assert page.is_enabled("#play")
    assert [url for url in tab.asked if url.startswith("ws")] == [f"ws://127.0.0.1:{server.port}/v1/stream"]


def test_the_most_doubtful_come_first_and_leave_when_they_are_labelled(tab: Tab, server: Server) -> None:
    page = tab.page
    words = SPEECH.with_suffix(".srt").read_bytes()
    tab.upload(("queue.srt", words), ("queue.flac", SPEECH.read_bytes()))
    job = tab.open("queue.flac")
    tab.see(".passage", "My parcel is lost again").locator(".who", has_text="caller").wait_for()
    page.click("nav a >> text=doubtful")
    tab.see("#details h2")
    first, second, third = server.ask("GET", "/v1/doubtful?limit=100").json["passages"][:3]
    page.locator(".passage").first.click()
    tab.see("#hear:enabled")
    page.keyboard.press("7")  # labelled, and on to the next
    page.locator(".passage").nth(1).and_(page.locator("[aria-current]")).wait_for()
    tab.see("#left", "to go")
    page.keyboard.press("j")
    page.locator(".passage").nth(2).and_(page.locator("[aria-current]")).wait_for()
    page.keyboard.press("c")
    tab.see("#export", "(2)")
    page.keyboard.press("k")
    page.keyboard.press("k")
    found = {
        (c["job"], c["passage"]): c["emotion"]
        for c in server.ask("GET", "/v1/corrections").json["corrections"]
    }
    assert found == {
        (first["job"], first["number"]): "contempt",
        (third["job"], third["number"]): third["passage"]["prediction"]["emotion"],
    }
    left = [(d["job"], d["number"]) for d in server.ask("GET", "/v1/doubtful").json["passages"]]
    assert left[0] == (second["job"], second["number"])
    assert (job in {entry for entry, _ in left}) or len(left) == 0
    for place, number in found:
        assert server.ask("DELETE", f"/v1/corrections/{place}/{number}").status == 204


def scores(emotion: Emotion, share: float = 0.7) -> dict[Emotion, float]:
    return {name: share if name == emotion else (1 - share) / 7 for name in EMOTIONS}


def judged() -> Job:
    """A job whose texts are all hostile; the judge changed its second passage."""
    feeling = Attributes(valence=2.0, arousal=5.0, dominance=4.0)
    voice = Opinion(logits=scores("angry"), scores=scores("angry"), attributes=feeling)
    prediction = Prediction(
        id="1", emotion="angry", scores=scores("angry"), attributes=feeling,
        attributes_from={"valence": "derived", "arousal": "derived", "dominance": "derived"},
        modalities=("audio", "text"), audio=voice, text=voice.model_copy(update={"scores": scores("sad")}),
        transcript=Transcript(text=HOSTILE, source="given"), bundle=HOSTILE, notes=(HOSTILE,),
    )  # fmt: skip
    verdict = Verdict(
        id="1", emotion="fear", before="angry", scores=scores("fear"), changed=True, status="changed",
        proposed="fear", confidence=0.9, reason=f"Because {HOSTILE}", provider="echo", model="echo",
    )  # fmt: skip
    passages = (
        Passage(start=0.0, end=1.8, speaker=HOSTILE, prediction=prediction),
        Passage(start=2.0, end=3.5, prediction=prediction.model_copy(update={"verdict": verdict})),
    )
    timeline = Timeline(
        id=HOSTILE, seconds=4.0, bundle=HOSTILE, passages=passages,
        points=(Point(time=1.0, attributes=feeling), Point(time=2.5, attributes=feeling)), notes=(HOSTILE,),
    )  # fmt: skip
    return Job(
        id=JOB, name=HOSTILE, state="done", created="2026-05-04T10:00:00+00:00", seconds=4.0, passages=2,
        timeline=timeline,
    )  # fmt: skip


def show(tab: Tab) -> None:
    """Have the page look at a job that the server does not have, as if it had answered so."""
    body = judged().model_dump_json()
    tab.page.route(
        f"**/v1/jobs/{JOB}", lambda route: route.fulfill(body=body, content_type="application/json")
    )
    tab.page.evaluate("job => { location.hash = `#/jobs/${job}` }", JOB)
    tab.see("#details h2")


def test_opinions_and_verdicts_are_shown_and_hostile_text_stays_text(tab: Tab) -> None:
    show(tab)
    page = tab.page
    page.keyboard.press("j")
    text = page.inner_text("#details")
    assert "The judge changed it: angry → fear." in text
    assert f"Because {HOSTILE}" in text
    assert "the voice sounds angry, the words read sad" in text
    header = page.locator("#details thead").first.inner_text()
    assert [name for name in ("voice", "words", "fused", "judge") if name in header] == [
        "voice", "words", "fused", "judge",
    ]  # fmt: skip
    assert page.locator("main img, iframe, object, embed, link[rel=import]").count() == 0
    assert page.locator("script").count() == 1
    assert HOSTILE in page.inner_text("h1")
    assert page.locator("#missing").is_visible()
    page.focus(".skip")
    page.keyboard.press("Enter")  # past the header, and still here
    assert page.locator("main:focus").count() == page.locator("#details h2").count() == 1


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token, and keeps no audio."""
    with served(tmp_path_factory.mktemp("locked") / "data", "--rate", "0", token=TOKEN) as running:
        yield running


def test_without_kept_audio_the_page_says_so_and_takes_the_file_again(
    browser: Any, locked: Server, tmp_path: Path
) -> None:
    """The page asks once for the token, which is in no address."""
    content = wav(spoken(13.0))
    tab = Tab(browser, locked)
    page = tab.page
    page.fill("#tokentext", "not this one, but long enough")
    page.keyboard.press("Enter")
    tab.see("#tokenwrong", "did not take that token")
    page.fill("#tokentext", TOKEN)
    page.keyboard.press("Enter")
    tab.upload(("call.wav", content))
    tab.open("call.wav")
    assert page.is_enabled("#play")  # of the file that was just chosen
    page.reload()
    tab.see("#missing", "The sound is not here")
    assert page.is_disabled("#play")
    other = {"name": "other.wav", "mimeType": "audio/wav", "buffer": wav(spoken(5.0))}
    page.set_input_files("#again", other)
    tab.see("#playing", "other.wav is not as long")
    page.set_input_files("#again", other | {"name": "call.wav", "buffer": content})
    tab.see("#play:enabled")
    tab.see("#labelling", "without words there is nothing to learn from")
    page.keyboard.press("2")
    tab.see("#labelling", "Type what is said first")
    page.keyboard.type("Nobody came.")
    page.locator(".labels button", has_text="sad").click()
    tab.see("#export", "(1)")
    assert "words alone" in page.get_attribute("#export", "title")
    with page.expect_download() as download:
        page.click("#export")
    packed = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert packed.namelist() == ["manifest.jsonl"]
    packed.extractall(tmp_path)
    (utterance,) = load(tmp_path)
    assert (utterance.emotion, utterance.audio) == ("sad", None)
    page.click("nav a >> text=Recordings")
    page.click("#record")
    tab.see("#livepassages .passage")
    page.click("#record")
    tab.see(".job", "recording 20")
    assert {url for url in tab.asked if TOKEN in url} == set()
    assert page.evaluate("Object.values(localStorage).length + document.cookie.length") == 0
    assert [text for text in tab.complaints if "401 (Unauthorized)" not in text] == []
    assert tab.strangers() == []
    tab.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1180), ("light", 1180)])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(
    browser: Any, server: Server, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra 'dev'")
    size = {"width": width, "height": 800}
    tab = Tab(browser, server, color_scheme=scheme, viewport=size, bypass_csp=True)
    tab.upload(("axe.wav", wav(spoken(8.0))))
    tab.see(".job", "axe.wav").locator(".state", has_text="done").wait_for()
    checked = []
    for view in ("home", "doubtful", "job"):
        if view == "doubtful":
            tab.page.click("nav a >> text=doubtful")
            tab.see("#work h2")
        if view == "job":
            show(tab)
            tab.page.keyboard.press("j")  # to what the judge changed
        problems = axe.Axe().run(tab.page).response["violations"]
        checked += [(view, one["id"], [node["html"][:200] for node in one["nodes"]]) for one in problems]
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, view
    assert checked == []
    tab.context.close()


def test_the_page_and_its_files_alone_need_no_token(locked: Server) -> None:
    page = locked.ask("GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    script = locked.ask("GET", "/page/app.js")
    assert (script.status, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    for path in (
        "/page/../app.py",
        "/page/%2e%2e%2fapp.py",
        "/page/%2e%2e/app.py",
        "/page/",
        "/page//etc/passwd",
    ):
        assert locked.ask("GET", path).status == 404, path
    assert locked.ask("GET", "/v1/corrections").status == 401
    assert locked.ask("GET", "/page/../v1/models").status in (401, 404)
    assert locked.ask("GET", "/page", headers={}).status == 401
