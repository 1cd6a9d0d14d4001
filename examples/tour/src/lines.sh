# Each line of the texts becomes a file of its own: lines.sh DIRECTORY TEXT…
set -eu
directory=$1
shift
mkdir -p "$directory"
number=0
cat "$@" | while IFS= read -r line; do
    number=$((number + 1))
    [ -z "$line" ] || printf '%s\n' "$line" > "$directory/$(printf '%03d' "$number").txt"
done
