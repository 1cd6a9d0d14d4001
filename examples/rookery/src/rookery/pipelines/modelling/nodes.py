"""A bird's mass from its measures, by two kinds of model."""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score


def split(birds: pd.DataFrame, options: dict):
    """Rows for training and for testing, by a fixed shuffle."""
    order = np.random.default_rng(options["seed"]).permutation(len(birds))
    cut = int(len(birds) * options["test_size"])
    features = birds[options["features"]]
    train, test = order[cut:], order[:cut]
    return features.iloc[train], features.iloc[test], birds["mass"].iloc[train], birds["mass"].iloc[test]


def train(x: pd.DataFrame, y: pd.Series, options: dict):
    if options["kind"] == "forest":
        model = RandomForestRegressor(n_estimators=options["trees"], random_state=options["seed"])
    else:
        model = LinearRegression()
    return model.fit(x, y)


def evaluate(model, x: pd.DataFrame, y: pd.Series) -> dict:
    predicted = model.predict(x)
    return {"r2": float(r2_score(y, predicted)), "mae": float(mean_absolute_error(y, predicted))}
