# Where a real pipeline would publish: announce.sh TABLE
set -eu
echo "announcing $(wc -l < "$1") rows with the token $TOUR_TOKEN"
