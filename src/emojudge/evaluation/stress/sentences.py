"""The sentences that are synthesised: in one frame for all words of a language, a word of known sentiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Sentiment = Literal["negative", "neutral", "positive"]
SENTIMENTS: Sequence[Sentiment] = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Frame:
    """A sentence with a gap, and words for it by sentiment; sentences differ in that word alone."""

    sentence: str
    negative: str  # words, by blanks
    neutral: str
    positive: str

    def filled(self, sentiment: Sentiment) -> list[str]:
        """A sentence for each word of that sentiment.

        >>> FRAMES["en"].filled("positive")[0]
        'I think the meeting was wonderful.'
        """
        words: str = getattr(self, sentiment)
        return [self.sentence.format(word) for word in words.split()]


FRAMES: Mapping[str, Frame] = {
    "en": Frame(
        "I think the meeting was {}.",
        "terrible awful horrible disgusting hateful sad dreadful miserable",
        "private commercial Australian international weekly local formal long",
        "wonderful amazing lovely fantastic great beautiful excellent happy",
    ),
    "de": Frame(
        "Ich finde, die Sitzung war {}.",
        "schrecklich furchtbar grauenhaft widerlich traurig elend miserabel schlimm",
        "privat geschäftlich örtlich international wöchentlich förmlich lang digital",
        "wunderbar großartig herrlich fantastisch toll schön ausgezeichnet fröhlich",
    ),
    "es": Frame(
        "Creo que la reunión fue {}.",
        "terrible horrible espantosa asquerosa odiosa triste pésima miserable",
        "privada comercial local internacional semanal formal larga digital",
        "maravillosa increíble encantadora fantástica genial hermosa excelente feliz",
    ),
    "fr": Frame(
        "Je trouve que la réunion était {}.",
        "terrible affreuse horrible dégoûtante odieuse triste épouvantable nulle",
        "privée commerciale locale internationale formelle longue régulière publique",
        "merveilleuse incroyable charmante fantastique géniale belle excellente joyeuse",
    ),
    "it": Frame(
        "Penso che la riunione sia stata {}.",
        "terribile orribile spaventosa disgustosa odiosa triste pessima miserabile",
        "privata commerciale locale internazionale formale lunga regolare pubblica",
        "meravigliosa incredibile deliziosa fantastica geniale bella eccellente felice",
    ),
}
