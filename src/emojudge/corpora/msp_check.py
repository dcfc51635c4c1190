"""What is missing or odd in the labels, lists and transcripts of a copy of MSP-Podcast."""

from collections.abc import Iterator
from pathlib import Path

from emojudge.corpora.alignment import words_per_second
from emojudge.corpora.findings import Findings, several
from emojudge.corpora.msp_release import (
    HIDDEN_SPLITS,
    KNOWN_MISSING,
    LABELS,
    NO_AGREEMENT,
    RATINGS,
    SPLITS,
    UNKNOWN,
    Release,
)
from emojudge.corpora.msp_votes import Tally, annotations
from emojudge.emotions import SCALE_MAX, SCALE_MIN
from emojudge.errors import CorpusError

Rows = dict[str, dict[str, str]]  # a consensus label's fields by its recording's name

_PARTS = {
    "audio": "Audios",
    "transcripts": "Transcripts",
    "detailed": "labels_detailed",
    "partitions": "Partitions.txt",
}


def check_msp_podcast(folder: Path, findings: Findings, deep: bool) -> dict[str, Path]:
    """Add what is found to `findings`; the recordings that are there, by name.

    Raises:
        CorpusError: no consensus labels.
    """
    release = Release.find(folder)
    findings.extend("missing part", [part for name, part in _PARTS.items() if getattr(release, name) is None])
    rows = _check_rows(release, findings)
    partitions = _check_partitions(release, rows, findings)
    _check_files(release, rows, partitions, findings)
    _check_votes(release, rows, findings)
    _check_speakers(rows, findings)
    _check_transcripts(release, rows, findings)
    for path in release.grids().values() if deep else ():
        try:
            words_per_second(path)
        except CorpusError as error:
            findings.add("damaged alignment", f"{path.name}: {error.found}")
    return dict(sorted(release.recordings.items()))


def _check_rows(release: Release, findings: Findings) -> Rows:
    rows: Rows = {}
    try:
        for where, row in release.rows():
            name = row["FileName"]
            if name in rows:
                findings.add("duplicate id", f"{name}: again in {where}")
                continue
            rows[name] = row
            if row["EmoClass"] not in LABELS:
                findings.add("unknown label", f"{name}: {row['EmoClass']!r}")
            if (split := row.get("Split_Set", "")) and split.lower() not in SPLITS:
                findings.add("unknown split", f"{name}: {split!r}")
            findings.add("attribute out of range", *(f"{name}: {fault}" for fault in _wrong_ratings(row)))
    except CorpusError as error:
        findings.add("unreadable", str(error))
    return rows


def _wrong_ratings(row: dict[str, str]) -> Iterator[str]:
    for column in RATINGS.values():
        try:
            inside = SCALE_MIN <= float(row[column]) <= SCALE_MAX
        except ValueError:
            inside = False
        if not inside:
            yield f"{column} = {row[column]!r}"


def _check_partitions(release: Release, rows: Rows, findings: Findings) -> dict[str, str]:
    """The split of each recording in lower case, by Partitions.txt."""
    try:
        partitions = {name: split.lower() for name, split in release.split_by_file().items()}
    except CorpusError as error:
        findings.add("unreadable", str(error))
        return {}
    for name, row in rows.items() if partitions else ():
        split = row.get("Split_Set", "").lower()
        if name not in partitions:
            findings.add("missing from partitions", name)
        elif split and SPLITS.get(split) != SPLITS.get(partitions[name]):
            findings.add("split against partitions", f"{name}: {split}, {partitions[name]} in the list")
    return partitions


def _check_files(release: Release, rows: Rows, partitions: dict[str, str], findings: Findings) -> None:
    hidden = {name for name, split in partitions.items() if SPLITS.get(split) in HIDDEN_SPLITS}
    hidden |= {name for name in release.recordings if "_test3_" in name}
    findings.extend("hidden labels", hidden - rows.keys())
    findings.extend("missing label", partitions.keys() - rows.keys() - hidden)
    if release.audio is None:
        return
    for name in sorted((rows.keys() | partitions.keys()) - release.recordings.keys()):
        findings.add("known to be missing" if name in KNOWN_MISSING else "missing audio", name)
    findings.extend(
        "audio without a label", release.recordings.keys() - rows.keys() - hidden - partitions.keys()
    )


def _check_votes(release: Release, rows: Rows, findings: Findings) -> None:
    if release.detailed is None:
        return
    tallies: dict[str, Tally] = {}
    try:
        for name, annotation in annotations(release.detailed):
            tallies.setdefault(name, Tally()).add(annotation)
    except CorpusError as error:
        findings.add("unreadable", str(error))
        return
    findings.extend("label without votes", rows.keys() - tallies.keys())
    findings.extend("votes without a label", tallies.keys() - rows.keys())
    for name in rows.keys() & tallies.keys():
        if fault := _contradiction(rows[name]["EmoClass"], tallies[name]):
            findings.add("label against votes", f"{name}: {fault}")


def _contradiction(letter: str, tally: Tally) -> str | None:
    """Why a consensus cannot be the plurality of these raters; None where it may be.

    Raters whom the release left out of the detail may have turned a close vote, so that X is doubted only
    against a majority of all, and a tie that was decided not at all.
    """
    counts = tally.counts()
    (first, most), *_ = counts.most_common(1)
    listed = ", ".join(f"{name} {count}" for name, count in counts.most_common() if count)
    if letter == NO_AGREEMENT:
        return f"X of {listed}" if 2 * most > tally.raters else None
    return f"{letter} of {listed}" if letter in LABELS and counts[letter] < most and first != letter else None


def _check_speakers(rows: Rows, findings: Findings) -> None:
    speakers = {name: row.get("SpkrID", "") for name, row in rows.items()}
    unknown = {name for name, speaker in speakers.items() if speaker.lower() in ("", UNKNOWN)}
    findings.extend("unknown speaker", unknown)
    known = ((speakers[name], row.get("Split_Set", "")) for name, row in rows.items() if name not in unknown)
    findings.extend("speaker in several splits", several(known))


def _check_transcripts(release: Release, rows: Rows, findings: Findings) -> None:
    if release.transcripts is None:
        return
    texts = release.texts()
    findings.extend("missing transcript", rows.keys() - texts.keys())
    for name, path in sorted(texts.items()):
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            findings.add("transcript not UTF-8", f"{name}: a byte at {error.start}")
        except OSError as error:
            findings.add("unreadable", f"{path}: {error.strerror or error}")
        else:
            if not text.strip():
                findings.add("empty transcript", name)
