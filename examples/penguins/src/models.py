"""Three classifiers. `fit` gives a model that JSON can hold; `predict` takes it back.

Every model works on standardised features: the training data's means and deviations are part of it.
"""

import math
import random
from collections import Counter


def fit(kind, xs, ys, params, seed):
    scale = [(mean(column), deviation(column)) for column in zip(*xs)]
    xs = [standardise(x, scale) for x in xs]
    return {"kind": kind, "seed": seed, "scale": scale, "fitted": FIT[kind](xs, ys, params, seed)}


def predict(model, x):
    return PREDICT[model["kind"]](model["fitted"], standardise(x, model["scale"]))


def standardise(x, scale):
    return [(value - centre) / spread for value, (centre, spread) in zip(x, scale)]


def mean(values):
    return math.fsum(values) / len(values)


def deviation(values):
    centre = mean(values)
    return math.sqrt(mean([(value - centre) ** 2 for value in values])) or 1.0


# k nearest neighbours: the model is the data.


def fit_knn(xs, ys, params, seed):
    return {"k": params["k"], "points": [[x, y] for x, y in zip(xs, ys)]}


def predict_knn(fitted, x):
    nearest = sorted((math.dist(x, point), y) for point, y in fitted["points"])[: fitted["k"]]
    votes = Counter(y for _, y in nearest)
    return max(sorted(votes), key=votes.get)


# Gaussian naive Bayes: each feature on its own, normal within a class.


def fit_bayes(xs, ys, params, seed):
    classes = {}
    for label in sorted(set(ys)):
        columns = list(zip(*(x for x, y in zip(xs, ys) if y == label)))
        classes[label] = {
            "prior": ys.count(label) / len(ys),
            "normals": [[mean(c), deviation(c) ** 2 + params["smoothing"]] for c in columns],
        }
    return classes


def predict_bayes(fitted, x):
    def log_likelihood(label):
        normals = fitted[label]["normals"]
        return math.log(fitted[label]["prior"]) - math.fsum(
            (value - centre) ** 2 / (2 * variance) + math.log(2 * math.pi * variance) / 2
            for value, (centre, variance) in zip(x, normals)
        )

    return max(sorted(fitted), key=log_likelihood)


# Multinomial logistic regression by gradient descent over the whole training set.


def fit_logistic(xs, ys, params, seed):
    labels = sorted(set(ys))
    chance = random.Random(seed)
    rows = [[1.0, *x] for x in xs]
    weights = {label: [chance.gauss(0, 0.01) for _ in rows[0]] for label in labels}
    for _ in range(params["epochs"]):
        slopes = {label: [params["l2"] * w for w in weights[label]] for label in labels}
        for row, y in zip(rows, ys):
            for label, probability in softmax(weights, row).items():
                error = (probability - (label == y)) / len(rows)
                slopes[label] = [slope + error * value for slope, value in zip(slopes[label], row)]
        for label in labels:
            weights[label] = [w - params["rate"] * s for w, s in zip(weights[label], slopes[label])]
    return weights


def softmax(weights, row):
    scores = {label: sum(w * value for w, value in zip(ws, row)) for label, ws in weights.items()}
    top = max(scores.values())
    powers = {label: math.exp(score - top) for label, score in scores.items()}
    total = sum(powers.values())
    return {label: power / total for label, power in powers.items()}


def predict_logistic(fitted, x):
    probabilities = softmax(fitted, [1.0, *x])
    return max(sorted(probabilities), key=probabilities.get)


FIT = {"knn": fit_knn, "bayes": fit_bayes, "logistic": fit_logistic}
PREDICT = {"knn": predict_knn, "bayes": predict_bayes, "logistic": predict_logistic}
