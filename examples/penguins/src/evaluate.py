"""Every model on the test set: accuracy by model and seed, and each prediction."""

import json
import sys

import models
import tables


def main():
    testing, metrics_path, predictions_path, *model_paths = sys.argv[1:]
    rows = tables.read(testing)
    names = tables.features(rows)

    accuracy, predictions = {}, []
    for path in model_paths:
        with open(path, encoding="utf-8") as file:
            model = json.load(file)
        guesses = [models.predict(model, tables.vector(row, names)) for row in rows]
        right = sum(guess == row["species"] for guess, row in zip(guesses, rows))
        accuracy.setdefault(model["kind"], {})[f"seed_{model['seed']}"] = round(right / len(rows), 4)
        for row, guess in zip(rows, guesses):
            predictions.append(
                {"model": model["kind"], "seed": model["seed"], "species": row["species"], "guess": guess}
            )

    means = {kind: round(models.mean(seeds.values()), 4) for kind, seeds in accuracy.items()}
    best = max(sorted(means), key=means.get)
    metrics = {"test_rows": len(rows), "best": best, "mean_accuracy": means, "accuracy": accuracy}
    with open(metrics_path, "w", encoding="utf-8") as file:
        json.dump(metrics, file, indent=2)
        file.write("\n")
    tables.write(predictions_path, predictions)
    print(f"best: {best}, mean accuracy {means[best]}")


if __name__ == "__main__":
    main()
