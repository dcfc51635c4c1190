"""Write the pages of figures in docs/ and the embedded bundle's model card from the kept figures alone."""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import card, judge_tables, performance, scale_page
from benchmarks.rows import Row, least, most, only, table
from emojudge.bundle.format import Bundle
from emojudge.evaluation.stress.tables import card_section, with_section

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"


def run(arguments: argparse.Namespace) -> None:
    """Rewrites the pages."""
    kept = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    figures = {name: content["figures"] for name, content in kept.items()}
    of_bundle = _rows(figures)  # these stand in its card too
    rows = [
        *of_bundle,
        *_interrupted(figures.get("interrupted", {})),
        *performance.training(figures.get("full_size", {})),
        *_judge_rows(figures),
        *_long(figures.get("long", {})),
        *_evaluation(figures),
        *_served(figures.get("serve_load", {})),
    ]
    when = [f"`{name}`: {c['date']}, {c['processor']}" for name, c in kept.items()]
    page = [
        "# Results",
        "",
        "Every figure comes from a command that anyone can rerun; this page is written by "
        "`python -m benchmarks report` from what the commands left in `benchmarks/results/`. "
        "Times depend on the machine (2 cores here). RAVDESS and nEMO were never trained on and no setting was "
        "chosen by comparing figures on them; the notes say how often they were looked at.",
        "",
        *table(rows),
        "",
        "`DIR` holds the corpora, `WEIGHTS` the pre-trained encoders. Measured: " + "; ".join(when) + ".",
        "",
        "## Notes",
        "",
        "- *Among the corpus's classes*: the most likely of the emotions that the corpus has labels for. *Open*: "
        "the most likely of all eight, where every surprise or contempt that the corpus does not know is an error.",
        "- `--adapt` sees the unlabelled test recordings as a whole, so it is another task, for people who "
        "process a whole collection; it is off unless asked for.",
        "- GoEmotions: lines may have several labels; a line gets every class whose score reaches a threshold "
        "that was chosen on the dev split, and its best one. *One label*: lines with exactly one, best class.",
        "- EMO-DB's folds train the recipe `recipes/emodb/frozen.yaml` on nine speakers and test on the tenth; the "
        "number of epochs, 16 at most, is what serves best on three folds of these nine, so that the tenth has no part "
        "in it. Eight epochs for every fold with a falling rate, a number that nothing had chosen, gave 0.911 before, "
        "which was known when this way was taken. "
        "With 454 clips, half of a 95 % interval is about 0.026. The embedded bundle has heard eight of the ten "
        "speakers, so it is not tested there.",
        "- RAVDESS and nEMO were measured four times. Whisper fine-tuned: 0.339 and 0.410 (adapted to the collection "
        "0.415 and 0.502), ECE 0.336. Whisper frozen: 0.380 and 0.379 (0.551 and 0.469), ECE 0.213; its confusions, "
        "most of RAVDESS heard as angry and most of nEMO as neutral, led to `dynamic_range_db`, whose value was "
        "chosen on EMO-DB with noise added. The third, with it, is above and is what ships, though nEMO came out "
        "lower: taking the better of two by these figures would be choosing on the test. The fourth was trained "
        "twice as long: validation macro-F1 0.567 instead of 0.556, within the noise of 0.03 that its size allows, "
        "so the shorter training stayed; 0.397 and 0.355 (0.537 and 0.482), ECE 0.201.",
        "- Also tried, on EMO-DB and EmoGator alone, without gain: taking the mean spectrum out of every utterance, by "
        "half or whole; statistics of each corpus or contributor in training; projecting out the directions in which "
        "channels and contributors differ; random shifts along these directions while the head trains; pooled means "
        "alone or deviations alone. What is lost between a recording as it comes and `--adapt` is a shift of the "
        "features between collections that one recording does not show.",
        "- Boundaries of speech: the hour is of EMO-DB, RAVDESS and nEMO at 10 to 30 dB over pink noise, with silences of 0.3 "
        "to 4 s; the truth is the loudness of the clean clips. Sixteen settings of the detector were compared on another such "
        "hour, and Silero's own stayed, which were within 0.003 of the best there.",
        "- The server's throughput over one by one was 1.97, 2.16, 1.91, 2.30 and 1.95 in five runs, the last of which is "
        "above. One request keeps one core busy, and batches gain nothing on a processor, so that two cores end at about "
        "2.0; the pace of one by one wanders by a tenth.",
        "- WavLM-Large's step: in the runs before the last three the plain way had our front-end, which made it quicker than "
        "what one writes first, and one of them gave 1.82. With an encoder that is transformers' own, three runs gave "
        "2.09 (413 s and 198 s), 1.98 (408 s and 206 s) and, in docs/performance.md, 2.06.",
        "",
        *judge_tables.section(figures),
        "## Confusions",
        "",
        *_confusions(figures["accuracy"]),
    ]
    (ROOT / "docs" / "results.md").write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")
    speed = ROOT / "docs" / "performance.md"
    speed.write_text(performance.with_figures(speed.read_text(encoding="utf-8"), figures), encoding="utf-8")
    beyond = ROOT / "docs" / "scale.md"
    beyond.write_text(scale_page.with_figures(beyond.read_text(encoding="utf-8"), figures), encoding="utf-8")
    folder = ROOT / "src" / "emojudge" / "bundle" / "default"
    text = card.render(folder, table(of_bundle))
    if "stress" in figures:
        text = with_section(text, card_section(figures["stress"], Bundle.open().manifest.trained_on))
    (folder / "README.md").write_text(text, encoding="utf-8")


def _rows(figures: dict[str, Any]) -> list[Row]:
    a = figures["accuracy"]
    measure = "`python -m benchmarks {}`"
    accuracy, footprint = measure.format("accuracy --corpora DIR"), measure.format("footprint")
    folds = measure.format("folds --corpora DIR --weights WEIGHTS")

    rows = [
        *(_weights_and_times(figures["footprint"], footprint) if "footprint" in figures else []),
        least("EMO-DB, 10 folds by speaker, 6 classes: UAR", figures["folds"]["uar"], 0.92, folds)
        if "folds" in figures
        else Row("EMO-DB, 10 folds by speaker, 6 classes: UAR", "not measured yet", "≥ 0.92", False, folds),
    ]
    for name, label, bar, adapted in (
        ("ravdess", "RAVDESS (English), 7 classes", 0.42, 0.50),
        ("nemo", "nEMO (Polish), 6 classes", 0.45, 0.52),
    ):
        rows += [
            least(f"{label}: UAR among the corpus's classes", a[name]["uar"], bar, accuracy),
            only(f"{label}: UAR, open", a[name]["uar_open"], accuracy),
            least(f"{label}, `--adapt collection`: UAR among the corpus's classes", a[f"{name}_collection"]["uar"], adapted, accuracy),
            only(f"{label}, `--adapt collection`: UAR, open", a[f"{name}_collection"]["uar_open"], accuracy),
            only(f"{label}, `--adapt speaker`: UAR among the corpus's classes", a[f"{name}_speaker"]["uar"], accuracy),
        ]  # fmt: skip
    rows += [
        least("EmoGator, 8 classes, unseen contributors: UAR", a["emogator"]["uar"], 0.45, accuracy),
        least("GoEmotions test, Ekman 7 classes: macro-F1", a["goemotions"]["macro_f1"], 0.58, accuracy),
        only("GoEmotions test, one label: macro-F1", a["goemotions"]["macro_f1_single"], accuracy),
        least("EmoBank test, valence: CCC", a["emobank"]["ccc_valence"], 0.65, accuracy),
        only("EmoBank test, arousal: CCC", a["emobank"]["ccc_arousal"], accuracy),
        only("EmoBank test, dominance: CCC", a["emobank"]["ccc_dominance"], accuracy),
        most(
            "RAVDESS audio, expected calibration error of the scores", a["ravdess"]["ece"], 0.12, "", accuracy
        ),
    ]
    return rows


def _evaluation(figures: dict[str, Any]) -> list[Row]:
    """How far the statistics can be trusted, and the stress tests."""
    rows = []
    if "coverage" in figures:
        command = "`python -m benchmarks coverage`"
        f, tests = figures["coverage"], figures["coverage"]["false_positives"]
        for speakers in ("12", "24", "60", "120"):
            held = f["coverage"][speakers]
            what = f"95 % interval of macro-F1 over {speakers} speakers holds the truth, of 2,000 corpora"
            value = held["speakers"]
            rows.append(Row(what, f"{value:.1%}", "93 to 97 %", 0.93 <= value <= 0.97, command))
            plain = f"the same, clips drawn instead of speakers: {held['plain']:.1%}; BCa {held['speakers_bca']:.1%}"
            rows.append(Row(plain, "", "reported", None, command))
        for name, value in tests.items():
            if "," in name:
                exact = name.startswith("mcnemar")
                good = None if exact else 0.04 <= value <= 0.06
                bar = "reported" if exact else "4 to 6 %"
                rows.append(Row(f"false positives at 5 %, {name}", f"{value:.1%}", bar, good, command))
        slowest = max(f["cpu_seconds"].values())
        what = "10,000 resamples of 30,000 items, CPU, the slowest of four"
        rows.append(Row(what, f"{slowest:.1f} s", "≤ 10 s", slowest <= 10, command))
    if "stress" in figures:
        f, command = figures["stress"], "`python -m benchmarks stress --corpora DIR`"
        rows.append(
            Row("stress tests of the embedded bundle", str(f["tests"]), "≥ 150", f["tests"] >= 150, command)
        )
        rows.append(most("the same, CPU", f["cpu_s"], 1800, " s", command))
        rows.append(Row("the same, passed", f"{f['passed']} of {f['tests']}", "reported", None, command))
    return rows


def _served(f: dict[str, Any]) -> list[Row]:
    """The server under load; no row before it was measured."""
    if not f:
        return []
    command, met, load, live = "`python -m benchmarks serve_load`", f["bars"], f["together"], f["live"]
    clients = f"{load['clients']} clients with 4-s clips"
    p99 = f"{load['p99_s']:.2f} s"
    times, lag = f"{f['throughput_ratio']:.2f} ×", f"{live['median_lag_s']:.2f} s"
    done = f"{f['killed']['done']} done, {f['killed']['twice']} twice"
    return [
        Row(f"{clients}: errors but 429", str(load["errors"]), "0", met["errors"], command),
        Row("the same, p99", p99, f"< {f['p99_bar_s']:.1f} s", met["p99"], command),
        Row("the same, throughput against one by one", times, "≥ 2 ×", met["throughput"], command),
        Row(f"{live['streams']} live streams, median lag", lag, "≤ 1.5 s", met["live"], command),
        Row(f"{f['killed']['jobs']} jobs through a kill -9", done, "all, none twice", met["jobs"], command),
    ]


def _interrupted(trainings: dict[str, Any]) -> list[Row]:
    command = "`python -m benchmarks interrupted --corpora DIR --weights WEIGHTS`"
    rows = []
    for name, f in trainings.items():
        same = f["same_metrics"] and f["same_parameters"]
        kills = ", ".join(map(str, f["kills_at_step"]))
        what = (
            f"{name} on real speech, {f['steps']} steps, killed after steps {kills}: metrics and parameters"
        )
        rows.append(Row(what, "the same" if same else "others", "the same", same, command))
    return rows


def _long(f: dict[str, Any]) -> list[Row]:
    """A recording of an hour; its segments against the truth that it was made from."""
    command = "`python -m benchmarks long --corpora DIR`"
    if not f:
        return [Row("`emojudge report` of one hour", "not measured yet", "≤ 360 s", False, command)]
    found, hour, three = f["segments"], f["hour"], f["three_hours"]
    cut = f"{found['segments']} segments of {found['runs_of_speech']} runs of speech, precision and recall"
    return [
        most("`emojudge report` of one hour, no ASR, to a page", hour["report_s"], 360, " s", command),
        Row("the same, CPU", f"{hour['cpu_s']:g} s", "reported", None, command),
        most("the same, peak resident", hour["peak_mb"], 700, " MB", command),
        most("`emojudge report` of three hours, peak resident", three["peak_mb"], 700, " MB", command),
        most(
            "first passage of the hour, from the start of the program", f["first_passage_s"], 5, " s", command
        ),
        least("boundaries of speech in the hour, within 0.25 s: F1", found["f1"], 0.85, command),
        Row(cut, f"{found['precision']:.3f}, {found['recall']:.3f}", "reported", None, command),
    ]


def _judge_rows(figures: dict[str, Any]) -> list[Row]:
    measure = "`python -m benchmarks {}`"
    rows = []
    if "judge_speed" in figures:
        f, command = figures["judge_speed"], measure.format("judge_speed")
        asked, known, (few, many) = f["asked"], f["from_ledger"], f["peak_mb"].values()
        rate, bar = asked["per_second"], f["bar"]
        rows += [
            Row("10,000 utterances through `echo`, a second", f"{rate:.0f}", f"≥ {bar:.0f}", rate >= bar, command),
            Row("the same from the ledger", f"{known['per_second']:.0f}", "reported", None, command),
            Row("peak memory of 2,000 and of 20,000", f"{few:.0f} and {many:.0f} MB", "flat", many < 1.05 * few, command),
        ]  # fmt: skip
    if "prosody" in figures:
        f = figures["prosody"]
        command = measure.format("prosody --corpora DIR")
        rate = f["times_real_time_clip_by_clip"]
        rows.append(
            Row("voice measured on one core, times real time", f"{rate:.0f}", f"≥ {f['bar']:.0f}", f["met"], command)
        )  # fmt: skip
    for name, f in figures.get("batches", {}).items():
        if name == "server":
            continue
        kills = {"killed_client": "client killed three times", "killed_server": "server killed once"}[name]
        what = f"{f['requests']} requests by OGX's Batch API, {kills}"
        found = f"{f['with_text']} answers, {f['failed']} faults, {f['more_than_once']} asked twice"
        rows.append(Row(what, found, "all", f["passed"], "`python -m benchmarks.batches`"))
    return rows


def _weights_and_times(f: dict[str, Any], command: str) -> list[Row]:
    torch, speedup = f["torch_installed"], f["batch_speedup"]
    return [
        most("README's main command in a new environment", f["first_command_s"], 240, " s", command),
        Row("torch in the plain install", "yes" if torch else "no", "no", not torch, command),
        most("plain install, site-packages", f["site_packages_mb"], 350, " MB", command),
        most("embedded bundle", f["bundle_mb"], 50, " MB", command),
        most("`emojudge predict one.wav`, warm disk, no ASR, wall", f["predict_wall_s"], 2, " s", command),
        most("the same, peak resident", f["predict_peak_mb"], 400, " MB", command),
        most(
            "audio model on one core, real-time factor", f["real_time_factor_one_by_one"], 0.03, "", command
        ),
        most("the same, 64 clips together", f["real_time_factor_batched"], 0.03, "", command),
        Row("64 clips together against one by one", f"{speedup:.2f} ×", "> 1 ×", speedup > 1, command),
    ]


def _confusions(accuracy: dict[str, Any]) -> list[str]:
    """Rows the true emotion, columns the predicted one of all eight, counts."""
    names = ["angry", "sad", "happy", "surprise", "fear", "disgust", "contempt", "neutral"]
    lines: list[str] = []
    for corpus in ("ravdess", "nemo", "emogator"):
        lines += [f"### {corpus}, as it comes", "", "| | " + " | ".join(names) + " |", "| --- " * 9 + "|"]
        for name, row in zip(names, accuracy[corpus]["confusion"], strict=True):
            if sum(row):
                lines.append(f"| **{name}** | " + " | ".join(map(str, row)) + " |")
        lines.append("")
    return lines
