"""A timeline as one self-contained page, which works from a file and asks for nothing."""

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from pathlib import Path, PurePath
from string import Template
from typing import Any
from urllib.parse import quote

from emojudge.page.sound import Sounded
from emojudge.records import Timeline

ASSETS = files("emojudge.page") / "assets"
MODULES = (  # imports first
    "emotions.js", "dom.js", "player.js", "drawing.js", "passages.js", "explorer.js", "report.js",
)  # fmt: skip
DIGITS = 4  # of a page's numbers

_IMPORT = re.compile(r"^import .*?;\n", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def render(timeline: Timeline, sound: Sounded, *, version: str, beside: str | None = None) -> str:
    """The page of a recording.

    Whatever comes from outside (names, words, a judge's reasons) is data in JSON, or escaped. The page's
    policy allows its own script and style, by their hashes, and its own sound: no request leaves it.

    Args:
        timeline: of the recording.
        sound: its outline, and the sound itself if it is to be in the page.
        version: of emojudge, for the foot of the page.
        beside: the path of the recording as seen from the page, played where the sound is not in it; None for
            a page without sound.
    """
    style, script = (ASSETS / "page.css").read_text("utf-8"), joined()
    audio = "blob:" if sound.ogg else "file: 'self'" if beside else "'none'"
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        f"media-src {audio}; base-uri 'none'; form-action 'none'"
    )
    about = {
        "timeline": slim(timeline.model_dump(mode="json")),
        "peaks": base64.b64encode(sound.peaks).decode(),
        "perSecond": sound.peaks_per_second,
        "beside": None if sound.ogg or beside is None else quote(PurePath(beside).as_posix()),
    }
    return Template((ASSETS / "report.html").read_text("utf-8")).substitute(
        policy=html.escape(policy),
        title=html.escape(Path(timeline.id).name or timeline.id),
        style=style,
        about=html.escape(_about(timeline)),
        player=player(),
        remarks=_remarks(timeline),
        version=html.escape(version),
        bundle=html.escape(timeline.bundle),
        data=embedded(about),
        sound=f'<script type="application/octet-stream" id="sound">{sound.ogg}</script>' if sound.ogg else "",
        script=script,
    )


def player() -> str:
    """What a timeline is played and looked through by, on this page and on a server's."""
    return (ASSETS / "player.html").read_text("utf-8")


def joined() -> str:
    """The page's modules as one: a page opened from a file may not import others."""
    parts = [(ASSETS / name).read_text("utf-8") for name in MODULES]
    return "".join(_EXPORT.sub("", _IMPORT.sub("", part)) for part in parts)


def embedded(about: Any) -> str:
    """JSON that ends no script element and begins no comment, whatever texts are in it.

    >>> embedded({"text": "</script><!--"})
    '{"text":"\\\\u003c/script>\\\\u003c!--"}'
    """
    return json.dumps(about, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def slim(value: Any) -> Any:
    """A record's JSON with what a page shows: no logits, numbers of a few digits.

    >>> slim({"logits": {"sad": 1.0}, "scores": {"sad": 0.123456}})
    {'scores': {'sad': 0.1235}}
    """
    if isinstance(value, dict):
        return {key: slim(item) for key, item in value.items() if key != "logits"}
    if isinstance(value, list):
        return [slim(item) for item in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def _about(timeline: Timeline) -> str:
    minutes, seconds = divmod(round(timeline.seconds), 60)
    spoken = at = 0.0
    for passage in timeline.passages:  # they may overlap
        spoken += max(0.0, passage.end - max(at, passage.start))
        at = max(at, passage.end)
    speech = f", {spoken / timeline.seconds:.0%} of it speech" if timeline.seconds else ""
    return f"{minutes} min {seconds} s{speech}; {len(timeline.passages)} passages"


def _remarks(timeline: Timeline) -> str:
    """What is odd about the recording, and what failed in it."""
    lines = [*timeline.notes, *(failure.error for failure in timeline.failures)]
    if not lines:
        return ""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<section><h2>Notes</h2><ul>{items}</ul></section>"


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
