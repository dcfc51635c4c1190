"""`/`: the page, from files of this package; the timeline's modules are those of a report's page."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from emojudge.page.report import ASSETS
from emojudge.serve.problems import Problem

WEB = files("emojudge.serve") / "web"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


def _assets() -> dict[str, tuple[bytes, str]]:
    """Content and type of each file by its name: what is not in here cannot be asked for."""
    found = {}
    for folder in (ASSETS, WEB):
        for file in folder.iterdir():
            kind = KINDS.get("." + file.name.rpartition(".")[2])
            if kind is not None:
                found[file.name] = file.read_bytes(), kind
    return found


_FILES = _assets()
_INDEX = (WEB / "index.html").read_bytes()


@router.get("/")
async def index() -> Response:
    """The page."""
    return Response(_INDEX, media_type="text/html")


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """One of the page's files."""
    if name not in _FILES:
        raise Problem(404, found="no such file", expected="one that the page asks for")
    content, kind = _FILES[name]
    return Response(content, media_type=kind)
