"""A bundle in words: its models, their calibration and fusion, licence and origin."""

from typing import TYPE_CHECKING

from emojudge.cli.messages import count, printable

if TYPE_CHECKING:
    from emojudge.bundle.format import Bundle, Manifest


def description(bundle: "Bundle") -> list[str]:
    """Lines for a reader; what stands in the files is made printable."""
    from rich.filesize import decimal

    manifest = bundle.manifest
    lines = [
        f"name        {printable(manifest.name)}",
        f"folder      {printable(str(bundle.folder))}",
        f"format      {manifest.format}",
        f"licence     {printable(manifest.licence)}",
        f"emotions    {', '.join(manifest.emotions)}",
        *_parts(manifest),
        f"files       {count(len(manifest.hashes), 'file')}, each with the SHA-256 of the manifest:",
    ]
    for name, digest in manifest.hashes.items():
        lines.append(f"  {digest[:12]}…  {decimal(bundle.file(name).stat().st_size):>8}  {printable(name)}")
    return lines + _provenance(manifest)


def _parts(manifest: "Manifest") -> list[str]:
    """The models and the fusion in words."""
    lines = []
    if audio := manifest.audio:
        features = f"{len(audio.embedding_mean)} pooled features" if audio.embedding_mean else "cannot adapt"
        lines.append(
            f"audio       {features}; windows of at most {audio.window_seconds:g} s; "
            f"temperature {audio.temperature:.3f}"
        )
    if text := manifest.text:
        attributes = "with" if text.attributes else "without"
        lines.append(
            f"text        {', '.join(text.languages)}; at most {text.max_tokens} tokens; {attributes} "
            f"attributes of its own; temperature {text.temperature:.3f}"
        )
    if fusion := manifest.fusion:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in fusion.text_share.items())
        lines.append(f"fusion      {printable(fusion.method)}; temperature {fusion.temperature:.3f}")
        lines.append(f"            the text's share of the fused attributes: {shares}")
    missing = [name for name in ("audio", "text", "fusion") if getattr(manifest, name) is None]
    return [*lines, f"without     {', '.join(missing)}"] if missing else lines


def _provenance(manifest: "Manifest") -> list[str]:
    import yaml

    if not manifest.provenance:
        return ["provenance  not stated"]
    text = yaml.safe_dump(manifest.provenance, sort_keys=False, allow_unicode=True, width=100)
    # One line at a time: white space at its start means something here.
    return ["provenance", *(f"  {' ' * (len(s) - len(s.lstrip()))}{printable(s)}" for s in text.splitlines())]
