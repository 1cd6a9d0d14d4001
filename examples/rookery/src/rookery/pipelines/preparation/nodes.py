"""From the station's tables to one table."""

import pandas as pd

from rookery.units import kilograms

COLUMNS = {
    "Individual ID": "bird",
    "Species": "species",
    "Island": "island",
    "Sex": "sex",
    "Culmen Length (mm)": "culmen_length",
    "Culmen Depth (mm)": "culmen_depth",
    "Flipper Length (mm)": "flipper_length",
    "Body Mass (g)": "mass",
}


def short(species: str) -> str:
    return species.partition(" ")[0].lower()


def preprocess_measurements(measurements: pd.DataFrame) -> pd.DataFrame:
    """One row a bird, with all that was measured."""
    table = measurements.rename(columns=COLUMNS)[list(COLUMNS.values()) + ["Study"]]
    table = table.rename(columns={"Study": "study"}).dropna(subset=["mass", "sex"])
    table["species"] = table["species"].map(short)
    table["sex"] = table["sex"].str.lower()
    table["mass"] = table["mass"].map(kilograms)
    return table.reset_index(drop=True)


def preprocess_islands(islands: pd.DataFrame) -> pd.DataFrame:
    islands = islands.rename(columns=str.lower)
    islands["south"] = -islands["latitude"]
    return islands.drop(columns="latitude")


def preprocess_nests(nests: pd.DataFrame) -> pd.DataFrame:
    nests = nests.copy()
    nests["clutch"] = nests["clutch"].map({"Yes": 1, "No": 0})
    nests["day"] = pd.to_datetime(nests["egg"]).dt.dayofyear
    return nests[["bird", "study", "clutch", "day"]].drop_duplicates(["bird", "study"])


def join(measurements: pd.DataFrame, islands: pd.DataFrame, nests: pd.DataFrame) -> pd.DataFrame:
    table = measurements.merge(islands, on="island").merge(nests, on=["bird", "study"])
    return table.sort_values(["species", "bird", "study"]).reset_index(drop=True)


def count_lines(text: str) -> dict:
    return {"lines": text.count("\n"), "characters": len(text)}
