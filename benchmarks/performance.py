"""The figures in docs/performance.md: rival ways side by side."""

from typing import Any

from benchmarks.rows import Row, least, most, table

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
MEASURE = "`python -m benchmarks {}`"


def with_figures(page: str, figures: dict[str, Any]) -> str:
    """The page with its table made anew, a row for whatever was measured."""
    rows = [
        *embedded(figures.get("embedded", {})),
        *pipeline(figures.get("pipeline", {})),
        *bulk(figures.get("bulk", {})),
        *training(figures.get("full_size", {})),
    ]
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n" + "\n".join(table(rows)) + f"\n\n{END}{after}"


def embedded(f: dict[str, Any]) -> list[Row]:
    """The embedded voice model and what a user would pick instead, one core each."""
    if not f:
        return []
    command = MEASURE.format("embedded")
    names = {"transformers": "transformers' pipeline, Whisper base", "egemaps": "eGeMAPS and an SVM"}
    rows = [
        most("embedded model on one core, real-time factor", f["ours"]["real_time_factor"], 0.02, "", command)
    ]
    for way, name in names.items():
        if way not in f:
            continue
        ratio = f[f"{way}_real_time_factor_ratio"]
        bar, met = ("≥ 5 ×", ratio >= 5) if way == "transformers" else ("reported", None)
        rows.append(Row(f"{name}: times as long", f"{ratio:g} ×", bar, met, command))
        start, one = (f[f"{way}_{figure}_ratio"] for figure in ("start_s", "one_clip_s"))
        rows.append(Row("the same, from start to a first result", f"{start:g} ×", "reported", None, command))
        rows.append(Row("the same, one clip", f"{one:g} ×", "reported", None, command))
    return rows


def pipeline(f: dict[str, Any]) -> list[Row]:
    """Overlap, padding and memory of the way from files to predictions."""
    if not f:
        return []
    command, overlap, padding = MEASURE.format("pipeline --corpora DIR"), f["overlap"], f["padding"]
    stages = ", ".join(f"{name} {seconds:g} s" for name, seconds in overlap["stages_s"].items())
    together = f"200 clips with words: {stages}; all of it together"
    few, many = f["memory"]["peak_mb"].items()
    files = f"peak resident of {int(few[0]):,} and {int(many[0]):,} files, MB"
    return [
        Row(together, f"{overlap['together_s']:g} s", "reported", None, command),
        most("wall time over that of the slowest stage alone", overlap["over_slowest"], 1.15, " ×", command),
        most("padded fraction, prediction", padding["prediction"], 0.05, "", command),
        *(
            most(f"padded fraction, {name}", value, 0.05, "", command)
            for name, value in padding.items()
            if name.startswith("training")
        ),
        Row(
            "padded fraction of random batches",
            f"{padding['the same, random batches']:g}",
            "reported",
            None,
            command,
        ),
        Row(files, f"{few[1]:g} and {many[1]:g}", "reported", None, command),
        most("the same, many over few", f["memory"]["ratio"], 1.2, " ×", command),
    ]


def bulk(f: dict[str, Any]) -> list[Row]:
    """`emojudge bulk` on one machine."""
    if not f:
        return []
    command = MEASURE.format("bulk --corpora DIR")
    what = f"`emojudge bulk`, {f['recordings']:,} recordings, two workers against one"
    kept = f"{f['lost']} lost, {f['doubled']} doubled"
    met = f["lost"] == f["doubled"] == 0
    return [
        least(what, f["speedup"], 1.7, command),
        Row(f"the same, killed {f['kills']} times and gone on with", kept, "none", met, command),
    ]


def training(f: dict[str, Any]) -> list[Row]:
    """The training step at full size; figures of another size are no figures of it."""
    command = "`python -m benchmarks full_size`"
    what = "WavLM-Large training step, batch 32 as 4 × 8 clips of 4–8 s, ours against the plain way"
    if f.get("size") != "large" or not {"plain", "ours"} <= f.keys():
        return [Row(what, "not measured yet", "≥ 2 ×", False, command)]
    ratio, taken = f["ours_seconds_ratio"], [f"{f[way]['seconds']:.0f} s" for way in ("ours", "plain")]
    held = [f"{f[way]['peak_mb'] / 1000:.1f} GB" for way in ("ours", "plain")]
    return [
        Row(what, f"{ratio:.2f} ×", "≥ 2 ×", ratio >= 2, command),
        Row("the same, seconds, ours and plain", " and ".join(taken), "reported", None, command),
        Row("the same, peak resident, ours and plain", " and ".join(held), "reported", None, command),
    ]
