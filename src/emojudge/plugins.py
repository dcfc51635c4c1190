"""What goes by a name: ours, and what other packages add to it by their entry points.

An entry point's group says what it adds (`emojudge.corpora`, `emojudge.providers`, `emojudge.transcribers`);
its object is called as ours of that kind are. A name of ours cannot be taken over.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, TypeVar

from emojudge.errors import EmojudgeError

Loader = TypeVar("Loader", bound=Callable[..., Any])


def names(group: str, ours: Mapping[str, object]) -> list[str]:
    """Every name that there is, ours and the plug-ins', sorted."""
    return sorted({*ours, *entry_points(group=group).names})


def find(
    group: str,
    ours: Mapping[str, Loader],
    name: str,
    error: type[EmojudgeError],
    *,
    more: Sequence[str] = (),
    advice: str = "",
) -> Loader:
    """What stands behind a name: ours, else the plug-in of that name, imported now.

    Args:
        group: of the entry points.
        ours: by name.
        name: as somebody wrote it.
        error: what is raised.
        more: names that are understood elsewhere; an error lists them too.
        advice: what an error says where no name is near.

    Raises:
        EmojudgeError: as `error` says: an unknown name, several plug-ins of it, or one that cannot be
            imported.
    """
    if name in ours:
        return ours[name]
    kind = group.rpartition(".")[2].removesuffix("s")
    kind = {"corpora": "corpus"}.get(kind, kind)
    plugins = entry_points(group=group).select(name=name)
    if not plugins:
        known = [*names(group, ours), *more]
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        raise error(
            kind,
            found=repr(name),
            expected=f"one of {', '.join(known)}",
            advice=f"Did you mean {near[0]!r}?" if near else advice,
        )
    if len(plugins) > 1:
        several = ", ".join(sorted(plugin.value for plugin in plugins))
        raise error(f"{kind} {name!r}", found=f"several plug-ins ({several})", expected="one of this name")
    (plugin,) = plugins
    try:
        found: Loader = plugin.load()
    except Exception as fault:  # a plug-in's module may fail in any way
        raise error(
            f"{kind} {name!r}",
            found=f"a plug-in that fails with {fault!r}",
            expected=f"{plugin.value} to load",
        ) from fault
    if not callable(found):
        raise error(
            f"{kind} {name!r}",
            found=f"a plug-in that is {found!r}",
            expected=f"{plugin.value} to be a function",
        )
    return found
