"""A browser's page that is watched by tests, a report's or a server's."""

from typing import Any


class Watched:
    """A page in a context of its own, and whatever it complained of or asked for."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def time(self) -> float:
        """Where its player is, in seconds."""
        minutes, seconds = self.page.inner_text("#time").split(" of ")[0].split(":")
        return 60 * int(minutes) + float(seconds)
