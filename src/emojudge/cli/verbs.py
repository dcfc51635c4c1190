"""Commands with verbs, of which one need not be said."""

from typing import Any

from typer.core import TyperGroup


class RunByDefault(TyperGroup):
    """`emojudge judge predictions.csv` is `emojudge judge run predictions.csv`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)
