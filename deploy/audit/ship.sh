#!/bin/sh
# ship.sh FILE [OPTION...]: appends the audit log to FILE, one line of JSON for each change, and goes on with new changes until SIGTERM.
# However it ended before, it goes on behind the last whole line. The options go to unlockos-keys, such as --store or -p.
# When logrotate has just renamed FILE, it goes on behind the last line of FILE.1 (so use delaycompress, and restart this after a rotation).
set -eu
file=$1
shift
exec 9>> "$file"
flock -n 9 || { echo "ship.sh: another process appends to $file" >&2; exit 1; }
if [ -n "$(tail -c 1 -- "$file")" ]; then # the last line was cut off; it comes again
  truncate -s "-$(tail -n 1 -- "$file" | wc -c)" -- "$file"
fi
last=$(tail -n 1 -- "$file")
if [ -z "$last" ] && [ -s "$file.1" ]; then
  last=$(tail -n 1 -- "$file.1")
fi
exec unlockos-keys audit list --follow --after "${last:-0}" -o jsonl "$@" >&9
