"""A stratified split: each species gives the same share to the test set."""

import argparse
import random

import tables


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clean")
    parser.add_argument("training")
    parser.add_argument("testing")
    parser.add_argument("--share", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()

    rows = tables.read(args.clean)
    chance = random.Random(args.seed)
    training, testing = [], []
    for species in sorted({row["species"] for row in rows}):
        members = [row for row in rows if row["species"] == species]
        chance.shuffle(members)
        cut = round(len(members) * args.share)
        testing += members[:cut]
        training += members[cut:]
    tables.write(args.training, training)
    tables.write(args.testing, testing)
    print(f"{len(training)} to learn from, {len(testing)} to test on")


if __name__ == "__main__":
    main()
