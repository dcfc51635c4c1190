"""The endings by which recordings are found in a folder; a file that is named itself may have any."""

AUDIO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("wav", "wave", "flac", "mp3", "ogg", "oga", "opus", "aif", "aiff", "au", "caf"),
        *("m4a", "mp4", "mov", "aac", "webm", "weba", "mkv", "mka", "3gp", "amr", "wma"),
    )
)
