"""What people read on stderr and in tables: text from outside made harmless, one line a message."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def utf8(text: str) -> str:
    """Text that can be encoded: bytes of file names that are not UTF-8 become escapes.

    >>> utf8("caf\\udce9.wav")
    'caf\\\\udce9.wav'
    """
    return text.encode(errors="backslashreplace").decode()


def printable(text: str) -> str:
    """Text on one line that cannot steer a terminal: white space as blanks, control characters as escapes.

    >>> printable("two\\nlines \\x1b[31m and a colour")
    'two lines \\\\x1b[31m and a colour'
    """
    joined = " ".join(text.split())
    # The joiners U+200C and U+200D are no control: Persian, Hindi and emoji are written with them.
    return "".join(
        c if c.isprintable() or c in "\u200c\u200d" else c.encode("unicode_escape").decode() for c in joined
    )


def say(message: str) -> None:
    """One line on stderr, where a progress bar may be."""
    sys.stderr.write(f"emojudge: {printable(message)}\n")
    sys.stderr.flush()


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "recording"), count(2, "recording")
    ('1 recording', '2 recordings')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


@contextmanager
def warnings_said() -> Iterator[None]:
    """What readers of corpora warn of becomes lines on stderr, as all else that is said."""
    handler, logger = _Said(), logging.getLogger("emojudge.corpora")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Said(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())
