# The ten most common, or rarest, words or letters: count.sh word|letter common|rare TOKENS OUT
set -eu
case $1 in
word) cat "$3" ;;
letter) fold -w 1 "$3" ;;
esac | LC_ALL=C sort | uniq -c | case $2 in
common) LC_ALL=C sort -k1,1nr -k2 ;;
rare) LC_ALL=C sort -k1,1n -k2 ;;
esac | sed -n '1,10p' > "$4"
