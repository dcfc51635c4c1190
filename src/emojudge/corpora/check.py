"""What is missing or odd in a copy of a corpus, told before hours are spent on it."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojudge.audio.decode import decode
from emojudge.audio.header import read_header
from emojudge.corpora import find_reader, load_corpus, table
from emojudge.corpora.findings import Finding, Findings, several
from emojudge.corpora.msp_check import check_msp_podcast
from emojudge.errors import AudioError, CorpusError, MissingExtraError
from emojudge.progress import Progress, untold
from emojudge.records import Utterance

THREADS = 8  # looking at headers waits for the disk, on a network's most of all

_SHARED_SPEAKERS = frozenset({"meld"})  # the same characters in all splits, as published


def check(
    name: str,
    folder: Path,
    *,
    deep: bool = False,
    progress: Progress = untold,
    **options: Any,
) -> list[Finding]:
    """Look through a copy of a corpus; faults first, then notes. Nothing is changed.

    For MSP-Podcast every file is looked at as it is, so that all faults are told at once; any other corpus is
    read as training would read it, and what its reader refuses is the first finding.

    Args:
        name: one of `corpus_names()`.
        folder: where the copy lies; for `table` the file itself will do.
        deep: decode every recording, which also finds damage inside, silence, and the same sound twice.
        progress: called as recordings are done.
        options: what the corpus's reader takes, such as `columns` of `table`.

    Raises:
        CorpusError: an unknown corpus, or a folder that is not there.
    """
    if not folder.exists():
        raise CorpusError(folder, found="no such folder", expected=f"a copy of {name!r}")
    find_reader(name)
    findings = Findings()
    if name == "msp_podcast":
        recordings, rate = check_msp_podcast(folder, findings, deep), 16_000
    else:
        recordings, rate = _check_utterances(name, folder, findings, options), None
    _check_recordings(recordings, rate, findings, deep, progress)
    return findings.all()


def _check_utterances(
    name: str, folder: Path, findings: Findings, options: Mapping[str, Any]
) -> dict[str, Path]:
    """Checks what a reader gives; the recordings that are there, by id."""
    try:
        if name == "table":
            utterances = _usable_rows(folder, findings, options)
        else:
            utterances = load_corpus(name, folder, **options)
    except CorpusError as error:
        if error.where == name:  # not of the copy: an unknown option
            raise
        findings.add("unreadable", str(error))
        return {}
    for utterance in utterances:
        if utterance.audio is not None and not utterance.audio.is_file():
            findings.add("missing audio", utterance.id)
        if utterance.transcript is not None and not utterance.transcript.text.strip():
            findings.add("empty transcript", utterance.id)
        if utterance.emotion is None and not utterance.votes:
            findings.add("no emotion", utterance.id)
    kind = "shared speaker" if name in _SHARED_SPEAKERS else "speaker in several splits"
    findings.extend(kind, several((u.speaker, u.split) for u in utterances if u.speaker and u.split))
    return {u.id: u.audio for u in utterances if u.audio is not None and u.audio.is_file()}


def _usable_rows(path: Path, findings: Findings, options: Mapping[str, Any]) -> list[Utterance]:
    """What a table has beside the rows that cannot be used, each of which is a finding."""
    items = table.read(path, **options)
    findings.extend("unusable row", [str(item) for item in items if isinstance(item, CorpusError)])
    return [item for item in items if isinstance(item, Utterance)]


@dataclass(frozen=True)
class _Heard:
    """What was seen of one recording."""

    faults: tuple[tuple[str, str], ...] = ()  # kind, and what was found
    rate: int | None = None  # Hz
    digest: bytes | None = None  # of its samples


def _check_recordings(
    recordings: Mapping[str, Path], rate: int | None, findings: Findings, deep: bool, progress: Progress
) -> None:
    """Look at each recording's header, or all of it; `rate` in Hz is the release's, None: the most common."""
    heard: dict[str, _Heard] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for name, result in zip(
            recordings, pool.map(_deep if deep else _shallow, recordings.values()), strict=True
        ):
            heard[name] = result
            progress(len(heard), len(recordings), "recordings")
    rates = Counter(result.rate for result in heard.values() if result.rate)
    expected = rate or next((value for value, _ in rates.most_common(1)), None)
    first: dict[bytes, str] = {}
    for name, result in heard.items():
        for kind, found in result.faults:
            findings.add(kind, f"{name}: {found}" if found else name)
        if result.rate not in (None, expected):
            findings.add("other sample rate", f"{name}: {result.rate} Hz")
        if result.digest is not None and (other := first.setdefault(result.digest, name)) != name:
            findings.add("same sound twice", f"{name}: as {other}")


def _shallow(path: Path) -> _Heard:
    try:
        if path.stat().st_size == 0:
            return _Heard((("empty audio", ""),))
        header = read_header(path)
    except (AudioError, MissingExtraError) as error:
        return _Heard((("undecodable audio", error.found),))
    except OSError as error:
        return _Heard((("undecodable audio", error.strerror or str(error)),))
    faults = [("damaged audio", note) for note in header.notes]
    if header.channels is not None and header.channels > 1:
        faults.append(("several channels", str(header.channels)))
    return _Heard(tuple(faults), header.rate)


def _deep(path: Path) -> _Heard:
    seen = _shallow(path)
    if any(kind in ("empty audio", "undecodable audio") for kind, _ in seen.faults):
        return seen
    try:
        audio = decode(path)
    except (AudioError, MissingExtraError) as error:
        return _Heard((*seen.faults, ("damaged audio", error.found)), seen.rate)
    known = {kind for kind, _ in seen.faults}
    faults = list(seen.faults)
    for note in audio.notes:
        if note.startswith("silent"):
            faults.append(("silent audio", note))
        elif note.startswith(("truncated", "damaged")) and "damaged audio" not in known:
            faults.append(("damaged audio", note))
    silent = any(kind == "silent audio" for kind, _ in faults)
    digest = None if silent else hashlib.sha256(audio.samples.tobytes()).digest()
    return _Heard(tuple(faults), seen.rate, digest)
