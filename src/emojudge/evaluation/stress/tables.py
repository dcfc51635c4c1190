"""What came of stress tests: tables for people, and the section of a model card."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from emojudge.evaluation.tables import Table

HEADING = "## Stress tests"
WORST = 12  # failures that a model card names


def stress_tables(found: Mapping[str, Any]) -> list[Table]:
    """Tables of an `Outcome.as_dict()`: by test, then what failed, then what could not be run."""
    checks = found["checks"]
    failed = [check for check in checks if not check["passed"]]
    made = [
        Table(
            f"{found['bundle']}: {found['passed']} of {found['tests']} stress tests passed",
            ("group", "test", "data", "passed", "worst"),
            [_summary(*key, rows) for key, rows in _by_test(checks).items()],
            "Thresholds as published by Derington et al. (arXiv 2312.06270); those marked * are ours.",
        ),
        Table(
            "Failed",
            ("test", "data", "what", "value", "threshold", "items"),
            [
                (c["test"], c["data"], c["name"], f"{c['value']:+.2f}", _limit(c), str(c["items"]))
                for c in failed
            ],
        ),
        Table(
            "Not run",
            ("test", "data", "why"),
            [(skip["test"], skip["data"], skip["why"]) for skip in found["skipped"]],
        ),
    ]
    return [table for table in made if table.rows]


def card_section(found: Mapping[str, Any], trained_on: Collection[str] = ()) -> str:
    """The model card's section: how many passed by test, and the worst that failed.

    Args:
        found: an outcome as a dictionary.
        trained_on: corpora that the bundle has learned from, of which its figures say little.
    """
    corpora = ", ".join(f"{name} ({count} recordings)" for name, count in found["corpora"].items())
    known = [name for name in found["corpora"] if name in trained_on]
    lines = [
        HEADING,
        f"{found['passed']} of {found['tests']} single tests passed, on {corpora} by the voice alone; after"
        " Derington et al. (arXiv 2312.06270), their thresholds or ours (*). `emojudge stress` reruns them."
        + "".join(f" The models learned from {name}: of how good they are it says little." for name in known),
        "",
        "| group | test | passed |",
        "| --- | --- | --- |",
    ]
    whole: dict[tuple[str, str], list[Any]] = {}
    for check in found["checks"]:
        whole.setdefault((check["group"], check["test"]), []).append(check)
    for (group, test), rows in whole.items():
        lines.append(f"| {group} | {test} | {sum(r['passed'] for r in rows)} of {len(rows)} |")
    failed = sorted((c for c in found["checks"] if not c["passed"]), key=_excess, reverse=True)
    lines += ["", "What fails by most:", ""]
    lines += [
        f"- {c['data']}, {c['test']}, {c['name']}: {c['value']:+.2f}, {_limit(c)}" for c in failed[:WORST]
    ]
    return "\n".join(lines) + "\n"


def with_section(card: str, section: str) -> str:
    """A model card with the section in the place of an older one, or at its end.

    >>> with_section("# Card\\n\\n## Stress tests\\nold\\n\\n## More\\n", "## Stress tests\\nnew\\n")
    '# Card\\n\\n## Stress tests\\nnew\\n\\n## More\\n'
    """
    pattern = re.compile(rf"^{HEADING}$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if pattern.search(card):
        return pattern.sub(lambda _: section + "\n", card).rstrip() + "\n"
    return f"{card.rstrip()}\n\n{section}"


def _summary(group: str, test: str, data: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    worst = max(rows, key=_excess)
    passed = sum(row["passed"] for row in rows)
    return (
        group,
        test,
        data,
        f"{passed} of {len(rows)}",
        f"{worst['name']}: {worst['value']:+.2f}, {_limit(worst)}",
    )


def _limit(check: Mapping[str, Any]) -> str:
    sign = {"at least": "≥ ", "at most": "≤ ", "within": "± "}[check["kind"]]
    return f"{sign}{check['threshold']:g}{'' if check['published'] else '*'}"


def _excess(check: Mapping[str, Any]) -> float:
    """By how much a figure is on the wrong side; negative where it is on the right one."""
    value, threshold = check["value"], check["threshold"]
    match check["kind"]:
        case "at least":
            return float(threshold - value)
        case "at most":
            return float(value - threshold)
        case _:
            return float(abs(value) - threshold)


def _by_test(checks: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], list[Mapping[str, Any]]]:
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for check in checks:
        found.setdefault((check["group"], check["test"], check["data"]), []).append(check)
    return found
