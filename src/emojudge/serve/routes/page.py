"""The server's page: files that anybody may have, as they hold nothing of anyone."""

from importlib.resources import files as resources

from fastapi import APIRouter
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

INDEX = (resources("emojudge.serve") / "web" / "index.html").read_bytes()

router = APIRouter()
files = StaticFiles(
    packages=[("emojudge.page", "assets"), ("emojudge.serve", "web")]
)  # reports' own, and ours


@router.get("/", include_in_schema=False)
async def page() -> Response:
    """The page itself; what it needs is under `/page/`."""
    return Response(INDEX, media_type="text/html")
