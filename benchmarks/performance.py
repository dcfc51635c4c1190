"""The figures in docs/performance.md: rival ways side by side."""

from typing import Any

from benchmarks.rows import Row, least, most, table

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
MEASURE = "`python -m benchmarks {}`"


def with_figures(page: str, figures: dict[str, Any]) -> str:
    """The page with its table made anew, a row for whatever was measured."""
    rows = [
        *embedded(figures.get("embedded", {})),
        *egemaps(figures.get("egemaps", {}), figures.get("accuracy", {})),
        *pipeline(figures.get("pipeline", {})),
        *bulk(figures.get("bulk", {})),
        *large(figures.get("large", {})),
        *training(figures.get("full_size", {})),
        *(step(figures["full_size"]) if "full_size" in figures else []),
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


def egemaps(f: dict[str, Any], ours: dict[str, Any]) -> list[Row]:
    """What the classic recognises in corpora that neither has heard, beside ours."""
    command = MEASURE.format("egemaps --corpora DIR")
    kinds = {
        f"{corpus}{kind}": f"UAR on {title}{words}, eGeMAPS and an SVM; embedded model"
        for corpus, title in (("ravdess", "RAVDESS"), ("nemo", "nEMO"))
        for kind, words in (("", ""), ("_collection", ", features normalised over all of it"))
    }
    return [
        Row(words, f"{f[name]['uar']:.3f}; {ours[name]['uar']:.3f}", "reported", None, command)
        for name, words in kinds.items()
        if name in f and name in ours
    ]


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


def large(f: dict[str, Any]) -> list[Row]:
    """The paper's system over many recordings."""
    if f.get("size") != "large":
        return []
    command, rows = MEASURE.format("large --corpora DIR"), []
    best = max(("float32", "int8"), key=lambda way: f[way]["times_plain"])
    for way, name in (("float32", "float32"), ("int8", "8-bit weights")):
        ratio, same = f[way]["times_plain"], f[way]["same_labels"]
        what = f"WavLM-Large + RoBERTa-Large, {f['clips']} clips of 2 to 12 s, {name}, against transformers"
        bar, met = ("≥ 4 ×", ratio >= 4) if way == best else ("reported", None)
        rows.append(Row(what, f"{ratio:g} ×", bar, met, command))
        rows.append(least("the same, labels that agree", same["all"], 0.995, command))
    taken = [
        f"{f[way]['seconds']:.0f} s, {f[way]['peak_mb'] / 1000:.1f} GB"
        for way in ("plain", "float32", "int8")
    ]
    rows.append(Row("the same, transformers, float32, 8 bits", "; ".join(taken), "reported", None, command))
    share, flops = f["flops"]["share"], f["flops"]
    peaks = f"float32 {flops['float32']:.0f}, bfloat16 {flops['bfloat16']:.1f}"
    found = f"{share:.0%} ({flops['encoder']:.0f} GFLOP/s of {peaks})"
    what = "WavLM-Large's layers against this machine's best matrix product"
    return [*rows, Row(what, found, "≥ 50 %", share >= 0.5, command)]


def step(f: dict[str, Any]) -> list[Row]:
    """The training step once more, against the bar of speed, and whether it learns the same."""
    command, curve = MEASURE.format("full_size"), f.get("curve")
    rows = []
    if "ours_seconds_ratio" in f:
        ratio = f["ours_seconds_ratio"]
        rows.append(Row("the same step, the bar of speed", f"{ratio:.2f} ×", "≥ 3 ×", ratio >= 3, command))
    if curve:
        apart, chance = curve["ours_and_plain"], curve["plain_and_plain"]
        what = "losses of 50 steps, tiny model, dropout: ours from the plain way's, and those of two seeds"
        found = f"{apart:g} and {chance:g}"
        rows.append(Row(what, found, "within noise", apart <= 1.2 * chance, command))
    return rows


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
