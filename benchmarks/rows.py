"""Rows of the pages of figures: what was found beside the bar that it was to meet."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure, the bar that it was to meet, and the command that measures it."""

    what: str
    found: str
    bar: str
    met: bool | None  # None: reported, no bar
    command: str


def least(what: str, value: float, bar: float, command: str) -> Row:
    return Row(what, f"{value:.3f}", f"≥ {bar}", value >= bar, command)


def most(what: str, value: float, bar: float, unit: str, command: str) -> Row:
    return Row(what, f"{value:g}{unit}", f"≤ {bar:g}{unit}", value <= bar, command)


def only(what: str, value: float, command: str) -> Row:
    return Row(what, f"{value:.3f}", "reported", None, command)


def table(rows: list[Row]) -> list[str]:
    marks = {True: "met", False: "**not met**", None: ""}
    lines = [f"| {r.what} | {r.found} | {r.bar} | {marks[r.met]} | {r.command} |" for r in rows]
    return ["| figure | found | bar | | command |", "| --- | --- | --- | --- | --- |", *lines]
