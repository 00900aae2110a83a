#!/bin/sh
# The first five minutes: train a small Transformer on text, then let it write.
set -eu
cd "$(dirname "$0")/.."
out=${DEMO_OUT:-runs/demo}
rm -rf "$out"
data=
if [ $# -gt 0 ] && [ -n "$1" ]; then
	[ -r "$1" ] || { echo "demo: cannot read $1" >&2; exit 1; }
	data="--data corpus=$1"
fi
# shellcheck disable=SC2086
./mdlc run stdlib/models/gpt.mdl train --seed 1 --out "$out" $data
echo
./mdlc run stdlib/models/gpt.mdl sample text --seed 1 --out "$out" --n 400 --prompt "func "
cat <<TXT

That was $out, trained by stdlib/models/gpt.mdl. Next:
  ./mdlc run stdlib/models/gpt.mdl sample text --out $out --prompt "func " --n 400
  ./mdlc run stdlib/models/gpt.mdl train --out runs/mine --data corpus=FILE --set layers=6 --set dim=192
  ./mdlc compile stdlib/models/gpt.mdl --emit loops | less
TXT
