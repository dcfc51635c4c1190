#!/usr/bin/env bash
# Do what README.md tells a newcomer, as a newcomer: each of its commands in an empty folder of its own, on a
# clean clone of what is committed, in a new virtual environment and with empty caches. Prints the time of each.
#
#   tools/check_readme.sh             both blocks: 'main command' and 'test command'
#   tools/check_readme.sh MARK...     these only
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset PYTHONPATH VIRTUAL_ENV HF_HOME
[ $# -gt 0 ] || set -- 'main command' 'test command'

if [ -n "$(git -C "$root" status --porcelain)" ]; then
  echo "note: uncommitted changes are not part of the clone" >&2
fi

follow() { # MARK: stands in a clone, runs the block as a shell in a new environment would
  python3 -m venv ../environment
  PATH="$(cd ../environment/bin && pwd):$PATH"
  export PATH XDG_CACHE_HOME="$PWD/../cache"
  commands=$(tools/readme_block.sh "$1")
  printf '%s\n' "$commands" | sed 's/^/$ /'
  bash -euo pipefail -c "$commands"
}

failed=0
for mark in "$@"; do
  folder="$scratch/${mark// /-}"
  mkdir "$folder"
  git clone --quiet "$root" "$folder/emojudge"
  printf '== %s\n' "$mark"
  begin=$SECONDS
  # A shell of its own: `set -e` does not hold inside a function that `if` calls.
  (cd "$folder/emojudge" && follow "$mark") & 
  if wait $!; then outcome=done; else outcome=FAILED failed=1; fi
  printf '== %s: %s after %d s\n\n' "$mark" "$outcome" "$((SECONDS - begin))"
done
exit "$failed"
