"""What people look at."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
import pandas as pd  # noqa: E402


def plot(birds: pd.DataFrame, colours: dict):
    figure, axes = plt.subplots(figsize=(5, 4))
    for species, rows in birds.groupby("species"):
        axes.scatter(rows["flipper_length"], rows["mass"], s=12, label=species, color=colours[species])
    axes.set_xlabel("flipper (mm)")
    axes.set_ylabel("mass (kg)")
    axes.legend()
    return figure


def by_species(birds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    numbers = ["mass", "flipper_length", "culmen_length", "culmen_depth"]
    return {species: rows.groupby("sex")[numbers].mean().reset_index() for species, rows in birds.groupby("species")}


def make_judge(limit: float):
    """A function: it lives in memory, and only there."""
    return lambda metrics: "good" if metrics["r2"] >= limit else "poor"


def compare(judge, linear: dict, forest: dict) -> dict:
    return {"linear": judge(linear), "forest": judge(forest)}


def announce(verdicts: dict, size: dict) -> None:
    for kind, verdict in sorted(verdicts.items()):
        print(f"{kind}: {verdict}, of {size['lines']} lines")
