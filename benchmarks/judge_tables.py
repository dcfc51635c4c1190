"""The judge's part of the results page: what refinement did on real data, and what a batch survived."""

from collections.abc import Iterator
from typing import Any

from emojudge.judge.providers.capabilities import capabilities_of

COMMAND = "`python -m benchmarks judge --corpora DIR --model GGUF --limit N --ledger FILE`"
PRICED = "gpt-6-luna"  # whose price per token stands beside that of a model in this process, which is none


def section(figures: dict[str, Any]) -> list[str]:
    """Lines of Markdown, from the kept figures of all measurements."""
    lines = ["## The judge", ""]
    if "judge" in figures:
        lines += _refinement(figures["judge"])
    else:
        lines += [f"Refinement by a language model: not measured yet: {COMMAND}.", ""]
    return lines


def _refinement(f: dict[str, Any]) -> list[str]:
    lines = [
        f"{COMMAND}, with `{f['model']}` and N = {f['limit']}. A split's utterances are drawn by hash of their "
        "names, up to N. Predictions are the embedded bundle's, which was "
        "trained on neither. The model is asked for one letter, in three wordings; its confidence is that letter's "
        "probability. Threshold, gate, decision and wording are tuned on development (MELD; nested there too, and "
        "the test split judged once with what was chosen, whether or not it helped) or nested over actors "
        "(RAVDESS). Intervals by paired bootstrap over dialogues or actors.",
        "",
    ]
    runs = (
        ("meld_alone", "MELD, words alone"),
        ("meld_dialogue", "MELD, with the turns before"),
        ("ravdess", "RAVDESS, voice and words, with the voice described"),
    )
    columns = []
    for name, title in runs:
        run = f[name]
        nested = run.get("dev") or run["nested"]
        columns.append((f"{title}: {'development, ' if 'dev' in run else ''}nested", _column(nested)))
        if "test" in run:
            test = run["test"]
            columns.append((f"{title}: test, once ({run['chosen']})", _column(test, test["macro_f1"])))
    names = list(columns[0][1])
    lines += ["| | " + " | ".join(names) + " |", "| --- " * (len(names) + 1) + "|"]
    lines += [f"| {title} | " + " | ".join(cells.values()) + " |" for title, cells in columns]
    lines += [""]
    for name, title in runs:
        lines += [*_notes(title, f[name]), ""]
    return lines


def _column(f: dict[str, Any], difference: dict[str, float] | None = None) -> dict[str, str]:
    changes = f.get("changes", f)
    d = difference or f["difference"]
    items = max(1, changes["items"])
    return {
        "utterances": str(changes["items"]),
        "sent": f"{changes['sent'] / items:.0%}",
        "changed": f"{changes['changed'] / items:.1%}",
        "wrong → right": str(changes["wrong_to_right"]),
        "right → wrong": str(changes["right_to_wrong"]),
        "wrong → wrong": str(changes["wrong_to_wrong"]),
        "macro-F1": f"{d['before']:.3f} → {d['after']:.3f}",
        "difference (95 %)": f"{d['gain']:+.3f} ({d['low']:+.3f} … {d['high']:+.3f})",
        "p, bootstrap": f"{d['p']:.2g}",
        "p, McNemar": f"{changes['mcnemar_p']:.2g}",
    }


def _notes(title: str, run: dict[str, Any]) -> Iterator[str]:
    """What the table has no column for: wordings, conflicts, cost, and what tuning concludes."""
    nested = run.get("dev") or run["nested"]
    yield f"- {title}: tuning leaves the judge **{run['judge']}**."
    after = [c["difference"]["after"] for c in nested["candidates"]]
    each = ", ".join(
        f"{c['prompt']} {c['difference']['after']:.3f} ({c['agreeing']} of {c['answers']} answers agree, "
        f"{c['na']} NA, {c['faulty']} faulty)"
        for c in nested["candidates"]
    )
    yield f"- Wordings, each tuned alone: macro-F1 {each}; from {min(after):.3f} to {max(after):.3f}."
    if conflict := nested.get("conflict"):
        sides = ", ".join(f"{side} {count}" for side, count in conflict["sides"].items())
        yield (
            f"- Where voice and words conflict ({conflict['items']} utterances): macro-F1 "
            f"{conflict['macro_f1_before']:.3f} → {conflict['macro_f1_after']:.3f}, {conflict['changed']} changed "
            f"({conflict['wrong_to_right']} wrong → right, {conflict['right_to_wrong']} right → wrong); the answers "
            f"side with: {sides}."
        )
    tokens, price = run["tokens"], capabilities_of(PRICED).price
    dollars = 1000 * price.dollars(tokens["prompt"], tokens["completion"]) if price else 0.0
    yield (
        f"- Cost per 1,000 utterances, all sent: $0 here; {tokens['prompt']:.0f} + {tokens['completion']:.0f} tokens "
        f"each would be ${dollars:.2f} with {PRICED}."
    )
