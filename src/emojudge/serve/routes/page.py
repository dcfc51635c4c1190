"""The server's page: files that anybody may have, as they hold nothing of anyone."""

from functools import cache
from pathlib import Path
from string import Template

from fastapi import APIRouter
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from emojudge.page.report import player

FOLDER = Path(__file__).parents[1] / "web"

router = APIRouter()
files = StaticFiles(directory=FOLDER, packages=[("emojudge.page", "assets")])  # ours, and those of reports


@router.get("/", include_in_schema=False)
async def page() -> HTMLResponse:
    """The page itself; what it needs is under `/page/`."""
    return HTMLResponse(_page())


@cache
def _page() -> str:
    return Template((FOLDER / "index.html").read_text("utf-8")).substitute(player=player())
