# A table with one column for each file of counts: table.sh CHECKPOINT OUT COUNTS…
#
# It does one column an attempt and then gives up with 75 (temporary failure), to show what a checkpoint is for.
set -eu
checkpoint=$1 out=$2
shift 2
mkdir -p "$checkpoint"
for counts in "$@"; do
    name=$(basename "$counts" .txt)
    if [ ! -e "$checkpoint/$name" ]; then
        { echo "$name"; echo ---; awk '{ print $2 " (" $1 ")" }' "$counts"; } > "$checkpoint/$name"
        echo "did $name"
        [ "$(ls "$checkpoint" | wc -l)" -eq $# ] || exit 75
    fi
done
cd "$checkpoint"
paste -d '|' * | sed 's/^/| /; s/|\([^ ]\)/ | \1/g; s/$/ |/' > "$OLDPWD/$out"
