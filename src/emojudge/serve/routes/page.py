"""The server's page: files that anybody may have, as they hold nothing of anyone."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parents[1] / "web"

router = APIRouter()
files = StaticFiles(directory=FOLDER, packages=[("emojudge.page", "assets")])  # ours, and those of reports


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page itself; what it needs is under `/page/`."""
    return FileResponse(FOLDER / "index.html", media_type="text/html")
