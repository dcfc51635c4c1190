"""An evaluation as one self-contained page, or as a folder of pictures and tables."""

import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emojudge.audio.decode import SAMPLE_RATE, decode
from emojudge.errors import EmojudgeError
from emojudge.evaluation.aligned import System, Truth
from emojudge.evaluation.corrections import Case, corrections, instructive
from emojudge.evaluation.plots import encoded, plots
from emojudge.evaluation.report import Evaluated
from emojudge.evaluation.tables import Table, tables
from emojudge.files import whole
from emojudge.page.sound import Sound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SECONDS = 20  # of a recording at most that goes into the page
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0
1rem;color:#111;background:#fff} h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px
solid #999} table{border-collapse:collapse;font-size:.85rem;margin:.5rem 0;display:block;overflow-x:auto}
th,td{border-bottom:1px solid #ccc;padding:.2rem .6rem;text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left}td.text{text-align:left;max-width:20rem}
svg{max-width:100%;height:auto}p.note{color:#333;font-size:.85rem}figure{margin:1rem 0;break-inside:avoid}
audio{width:14rem;height:2rem}@media print{body{max-width:none;font-size:11px}audio{display:none}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:"
TABLE = '<table tabindex="0">'  # what scrolls can be reached by the keyboard


def write_page(
    found: Evaluated, truth: Truth, system: System, lines: Sequence[str], target: Path, audio: bool = True
) -> None:
    """Write a page `.html`, or a folder of figures (PNG, SVG) and tables (CSV, LaTeX).

    Args:
        found: the evaluation.
        truth: its labels.
        system: its predictions.
        lines: what does not fit.
        target: a file that ends in `.html`, or a folder.
        audio: put the recordings of the cases that are worth a look into the page, where they are at hand.

    Raises:
        MissingExtraError: matplotlib is not installed.
        EmojudgeError: a file of another kind.
    """
    judged = corrections(truth, system)
    figures = plots(found, truth, system, judged)
    if target.suffix.lower() != ".html":
        if target.suffix or target.is_file():
            raise EmojudgeError(target, found="a file of that kind", expected="a name in .html, or a folder")
        _write_folder(found, figures, target)
        return
    cases = instructive(truth, system, judged) if judged else []
    _write(target, _page(found, figures, lines, cases, audio).encode())


def _write_folder(found: Evaluated, figures: "Mapping[str, Figure]", folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        for layout in ("png", "svg"):
            _write(folder / f"{name}.{layout}", encoded(figure, layout))
    for number, table in enumerate(tables(found)):
        name = "overall" if number == 0 else table.title.split(",")[0].lower().replace(" ", "_")
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(table.header)
        writer.writerows(table.rows)
        _write(folder / f"{name}.csv", text.getvalue().encode())
        _write(folder / f"{name}.tex", latex(table).encode())


def latex(table: Table) -> str:
    """A table in LaTeX with booktabs' rules.

    >>> print(latex(Table("T", ("a_b", "n"), [("x & y", "1 → 2")])).splitlines()[4])
    x \\& y & 1 $\\to$ 2 \\\\
    """
    rows = [" & ".join(map(_tex, row)) + r" \\" for row in (table.header, *table.rows)]
    columns = "l" + "r" * (len(table.header) - 1)
    body = [rows[0], r"\\midrule"[1:], *rows[1:]]
    return (
        "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *body, r"\bottomrule", r"\end{tabular}"])
        + "\n"
    )


def _tex(text: str) -> str:
    special = {c: f"\\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
    special |= {
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "→": r"$\to$",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
    }
    return "".join(special.get(character, character) for character in text)


def _page(
    found: Evaluated,
    figures: "Mapping[str, Figure]",
    lines: Sequence[str],
    cases: Sequence[Case],
    audio: bool,
) -> str:
    shown = tables(found)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Evaluation of {_safe(found.evaluation.system)}</title><style>{STYLE}</style></head><body>",
        f"<h1>Evaluation of {_safe(found.evaluation.system)}</h1>",
        f"<p>Labels: {_safe(found.labels)}. Scores are estimates of how speech is heard, not of what a person"
        " feels.</p>",
        *_html_table(shown[0], heading="Figures"),
        *(_figure(name, figure) for name, figure in figures.items()),
    ]
    for table in shown[1:]:
        parts += _html_table(table)
    if cases:
        parts += ["<h2>Cases to look at</h2>", *_cases(cases, audio)]
    parts += [
        "<h2>What does not fit</h2><ul>",
        *(f"<li>{_safe(line)}</li>" for line in lines or ["Nothing."]),
        "</ul>",
    ]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _figure(name: str, figure: "Figure") -> str:
    svg = encoded(figure, "svg").decode()
    label = f"{name.replace('_', ' ')}; its numbers are in the tables"
    return f'<figure role="img" aria-label="{label}">{svg[svg.index("<svg") :]}</figure>'


def _html_table(table: Table, heading: str = "") -> list[str]:
    head = "".join(f"<th>{_safe(name)}</th>" for name in table.header)
    rows = ["<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in table.rows]
    note = [f'<p class="note">{_safe(table.note)}</p>'] if table.note else []
    return [f"<h2>{_safe(heading or table.title)}</h2>", f"{TABLE}<tr>{head}</tr>", *rows, "</table>", *note]


def _cases(cases: Sequence[Case], audio: bool) -> list[str]:
    head = "".join(
        f"<th>{name}</th>"
        for name in ("utterance", "what", "labelled", "before", "after", "sure", "why, and words")
    )
    rows = []
    for case in cases:
        cells = [case.id, case.kind, case.truth, case.before, case.after]
        cells.append("" if case.confidence is None else f"{case.confidence:.0%}")
        words = f"{_safe(case.reason)}<br><i>{_safe(case.transcript)}</i>{_player(case) if audio else ''}"
        rows.append(
            "<tr>"
            + "".join(f"<td>{_safe(cell)}</td>" for cell in cells)
            + f'<td class="text">{words}</td></tr>'
        )
    return [f"{TABLE}<tr>{head}</tr>", *rows, "</table>"]


def _player(case: Case) -> str:
    """The recording in the page itself; nothing where it is not at hand."""
    if case.audio is None:
        return ""
    try:
        samples = decode(case.audio).samples[: SECONDS * SAMPLE_RATE]
    except EmojudgeError:
        return ""
    with Sound() as sound:
        sound(samples)
        data = sound.finish().ogg
    return f'<br><audio controls preload="none" src="data:audio/ogg;base64,{data}"></audio>'


def _safe(text: str) -> str:
    return html.escape(text)


def _write(path: Path, content: bytes) -> None:
    with whole(path) as temporary:
        temporary.write_bytes(content)
