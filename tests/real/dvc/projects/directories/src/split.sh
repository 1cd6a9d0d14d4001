mkdir -p data/split/right/deep
cat data/raw/*.txt | grep '^l' > data/split/left.txt
cat data/raw/*.txt | grep '^r' > data/split/right/deep/r.txt
