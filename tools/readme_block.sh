#!/usr/bin/env bash
# Print the commands in README.md that stand in the fenced block right after the comment <!-- MARK -->.
#
#   tools/readme_block.sh MARK        e.g. tools/readme_block.sh 'test command'
set -euo pipefail

readme="$(dirname "${BASH_SOURCE[0]}")/../README.md"
mark="<!-- ${1:?which mark? e.g. 'test command'} -->"

if ! awk -v mark="$mark" '
  marked && /^```/ { if (inside) { closed = 1; exit }; inside = 1; next }
  inside { print; lines++; next }
  marked && NF { exit }             # something else than a block follows the comment
  $0 == mark { marked = 1 }
  END { exit !(closed && lines) }
' "$readme"; then
  echo "README.md: found no fenced block right after '$mark'; expected one with the commands to run." >&2
  exit 1
fi
