"""The tables of docs/scale.md, from kept figures, published ones and assumed ones; which is which is said."""

from typing import Any

from emojudge.judge.providers.capabilities import capabilities_of

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
HOURS = 1_000_000
TOKENS_PER_HOUR = 12_000  # assumed: 9,000 words
# Published: dense half-precision operations a second. Assumed: how much of it an encoder gets, and prices.
GPUS = {"T4": (65e12, 0.35), "L4": (121e12, 0.70), "A100": (312e12, 2.50), "H100": (989e12, 4.00)}
REACHED = 0.35
CORE_DOLLARS = 0.04  # an hour of a virtual core, assumed
JUDGES = ("gpt-6-luna", "gpt-5.4-nano", "gpt-6-sol")
SYSTEMS = {  # the paper's rows: voice and words
    "WavLM-Large + RoBERTa-Large": ("WavLM-Large", "RoBERTa-Large"),
    "WavLM-Large + DeBERTa-Large": ("WavLM-Large", "DeBERTa-Large"),
    "HuBERT-Large + RoBERTa-Large": ("HuBERT-Large", "RoBERTa-Large"),
    "wav2vec 2.0 Large + RoBERTa-Large": ("wav2vec 2.0 Large", "RoBERTa-Large"),
    "WavLM-base + RoBERTa-base": ("WavLM-base", "RoBERTa-base"),
    "Whisper-small + RoBERTa-Large": ("Whisper-small", "RoBERTa-Large"),
    "ECAPA-TDNN + RoBERTa-Large": ("ECAPA-TDNN", "RoBERTa-Large"),
}


def with_figures(page: str, figures: dict[str, Any]) -> str:
    """The page with its tables made anew, as far as their figures are there."""
    if "scale" not in figures:
        return page
    parts = [_processors(figures), _cards(figures["scale"]), _before(figures["scale"]), _judges(figures)]
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n" + "\n\n".join(part for part in parts if part) + f"\n\n{END}{after}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines)


def _operations(scale: dict[str, Any], system: str) -> float:
    """Of an hour of audio."""
    voice, words = SYSTEMS[system]
    spoken = scale["gflop_per_100_tokens"][words] * TOKENS_PER_HOUR / 100
    return float(scale["gflop_per_second"][voice] * 3600 + spoken) * 1e9


def _processors(figures: dict[str, Any]) -> str:
    """Core-hours on a processor: measured for three, by operations for the others."""
    rows = []

    def row(name: str, per_hour: float, how: str) -> None:
        cost = per_hour * HOURS * CORE_DOLLARS
        rows.append([name, f"{per_hour:.3f}", f"{per_hour * HOURS:,.0f}", f"${cost:,.0f}", how])

    if "embedded" in figures:
        row("embedded, voice", figures["embedded"]["ours"]["real_time_factor"], "measured, `embedded`")
    large = figures.get("large", {})
    if large.get("size") == "large":
        name, cores = "WavLM-Large + RoBERTa-Large", 2
        for way in ("float32", "int8"):
            row(f"{name}, {way}", large[way]["seconds"] * cores / large["audio_s"], "measured, `large`")
        speed = _operations(figures["scale"], name) / 3600 * large["audio_s"] / large["float32"]["seconds"]
        for other in list(SYSTEMS)[1:]:
            per_hour = _operations(figures["scale"], other) / (speed / cores) / 3600
            row(f"{other}, float32", per_hour, "by operations")
    head = ["system", "core-hours an hour of audio", "core-hours, a million hours", "cost", "how it is known"]
    return "## On processors\n\n" + _table(head, rows)


def _cards(scale: dict[str, Any]) -> str:
    """GPU-hours, estimated from operations."""
    rows = []
    for system in SYSTEMS:
        operations = _operations(scale, system)
        cells = [system, f"{operations / 1e12:,.0f}"]
        for peak, price in GPUS.values():
            hours = operations * HOURS / (peak * REACHED) / 3600
            cells.append(f"{hours:,.0f} h, ${hours * price:,.0f}")
        rows.append(cells)
    head = ["system", "10¹² operations an hour of audio", *GPUS]
    return "## On GPUs, a million hours (estimates)\n\n" + _table(head, rows)


def _before(scale: dict[str, Any]) -> str:
    """What has to be done before a model hears anything, and how many cores one GPU's hunger takes."""
    operations = _operations(scale, "WavLM-Large + RoBERTa-Large")
    eaten = {name: peak * REACHED / operations * 3600 for name, (peak, _) in GPUS.items()}  # hours an hour
    work = {f"decoding {name}": seconds for name, seconds in scale["decode_core_s_per_hour"].items()}
    if scale.get("transcription"):
        engine = scale["transcription"]
        work[f"transcription, {engine['engine']}"] = engine["real_time_factor"] * 3600
    rows = []
    for name, seconds in work.items():
        cores = [f"{hours * seconds / 3600:,.1f}" for hours in eaten.values()]
        rows.append([name, f"{seconds:,.1f} s", f"{seconds / 3600 * HOURS:,.0f}", *cores])
    head = ["work", "a core, for an hour of audio", "core-hours, a million hours", *GPUS]
    title = "## Before the models: cores, and how many of them keep one GPU busy (WavLM-Large, estimate)"
    return title + "\n\n" + _table(head, rows)


def _judges(figures: dict[str, Any]) -> str:
    """Dollars for a million hours with each gate."""
    if "judge" not in figures or "long" not in figures:
        return ""
    asked, tokens = figures["long"]["segments"]["segments"], figures["judge"]["ravdess"]["tokens"]
    rows = []
    for gate, share in figures["scale"]["sent"].items():
        cells = [f"`{gate}`", f"{share:.0%}"]
        for model in JUDGES:
            price = capabilities_of(model).price
            each = price.dollars(tokens["prompt"], tokens["completion"]) if price else float("nan")
            cells.append(f"${each * share * asked * HOURS:,.0f}")
        rows.append(cells)
    head = ["gate", "sent (RAVDESS, embedded bundle)", *JUDGES]
    title = f"## The judge, a million hours of {asked} utterances each, {tokens['prompt']:.0f} tokens asked"
    return title + "\n\n" + _table(head, rows)
