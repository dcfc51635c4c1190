"""The words that `redact` goes by: what introduces a name, makes a street, spells a number out."""

from typing import Literal

FIRST = ("first_names", "first_names_female", "first_names_male")  # of Faker's providers
LAST = ("last_names", "last_names_female", "last_names_male", "unisex_last_names", "male_last_names")
CITIES = ("cities", "city_names")

_PEOPLE: tuple[str, Literal["name"]] = ("PERSON PER persName", "name")
_PLACES: tuple[str, Literal["address"]] = ("GPE LOC FAC placeName geogName", "address")
ENTITIES = {label: kind for labels, kind in (_PEOPLE, _PLACES) for label in labels.split()}  # of spaCy


def _words(text: str) -> list[str]:
    return text.split()


def _cues(text: str) -> list[tuple[str, ...]]:
    return [tuple(line.split()) for line in text.strip().splitlines()]


def _any(text: str) -> str:
    """A pattern of any of the words."""
    return "|".join(text.split())


TITLES = frozenset(
    _words("""
    mr mrs ms miss mister dr doctor professor sir
    herr herrn frau doktor
    monsieur madame mademoiselle mme m
    señor señora señorita sr sra don doña senhor senhora
    pan pana panu panem pani panią panie
    signor signora signore signorina sig dottor dottore dottoressa
    meneer mevrouw
    """)
)
INTRODUCTIONS = _cues("""
    my name is
    my name's
    i am called
    ich heiße
    ich heisse
    mein name ist
    je m'appelle
    je m’appelle
    mon nom est
    me llamo
    mi nombre es
    nazywam się
    mam na imię
    mi chiamo
    il mio nome è
    me chamo
    meu nome é
    ik heet
    mijn naam is
""")  # what follows is a name, in whatever case
GREETINGS = _cues("""
    this is
    hier ist
    hier spricht
    je suis
    soy
    sono
    jestem
    tu mówi
""")  # what follows is a name where it has a capital letter

AT = _any("at ät arobase arrobase arroba chiocciola małpa apenstaartje")
DOT = _any("dot punkt point punto ponto kropka punt")
DIGITS = _any("""
    zero one two three four five six seven eight nine double triple
    null eins zwei zwo drei vier fünf sechs sieben acht neun
    zéro un deux trois quatre cinq sept huit neuf
    cero uno dos tres cuatro cinco seis siete ocho nueve
    jeden dwa trzy cztery pięć sześć siedem osiem dziewięć
    due tre quattro cinque sei sette otto nove
    um dois três quatro cinco sete oito
    een twee drie vijf zes zeven negen
""")

STREETS_AFTER = _any("""
    Street St Road Rd Avenue Ave Lane Drive Boulevard Square Court Terrace Close Crescent Highway
""")
STREETS_WITHIN = _any("straße strasse gasse allee straat laan")
STREETS_BEFORE = _any(r"""
    rue avenue boulevard chemin quai impasse
    calle avenida plaza paseo
    via viale piazza corso
    rua travessa
    ulica ulicy ulicę ul\. aleja alei al\.
""")
LINKS = _any("de du des la le les del della dello dei do da dos das di der den dem")

# Names that are more often something else: taken for a name only where a capital letter tells.
ORDINARY = frozenset(
    _words("""
    will may mark grace hope joy faith rose bill rich art drew pat sue june april summer dawn eve guy gene
    rob chase hunter young long king brown green white black gray price day love wood stone case church
    christian angel star sky rain autumn destiny heaven honey precious baby jack dick john jean bob sandy
    crystal ruby amber ivy violet daisy iris lily holly mercy patience charity chance trinity major prince
    duke dean grant lane miles wade clay cliff dale glen heath reed ross roy sonny max ray bell best bond
    bush cook cross
    ernst rosa heide sommer winter wolf vogel könig bauer koch
    aimée reine désirée pierre
    dolores mercedes consuelo paz luz mar sol esperanza alba gloria cruz domingo león ángel
    """)
)
# Short words that some list has for a name, and every sentence for something else.
FUNCTION = frozenset(
    _words("""
    i'm i’m i'll i’ll i'd i’d i've i’ve what's what’s don't don’t the and you she her him his its our who how
    why not but for are was has had can did get got let see say said
    das die der den dem des ein und ist sie wir ihr man mit von vor aus bei als wie was wer wenn dann doch
    les des une est pas que qui sur son ses mes tes aux
    los las del con por para una que más sin mis tus
    nie tak jak ten ale pod nad bez dla czy
    gli dei una che con non per sei tra
    """)
)
