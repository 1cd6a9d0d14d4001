"""Fit one model on a bootstrap sample of the training data, drawn with its seed.

Several seeds show how much a model owes to the sample that it happened to see.
"""

import json
import random
import sys

import models
import tables


def main():
    training, out, kind, seed, params_file = sys.argv[1:]
    with open(params_file, encoding="utf-8") as file:
        params = json.load(file)["train"][kind]

    rows = tables.read(training)
    sample = random.Random(int(seed)).choices(rows, k=len(rows))
    names = tables.features(rows)
    xs = [tables.vector(row, names) for row in sample]
    ys = [row["species"] for row in sample]

    with open(out, "w", encoding="utf-8") as file:
        json.dump(models.fit(kind, xs, ys, params, int(seed)), file, indent=1)
        file.write("\n")
    print(f"{kind}, seed {seed}: fitted on {len(sample)} rows with {params}")


if __name__ == "__main__":
    main()
