"""CSV tables as lists of dictionaries, written the same way every time."""

import csv


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def features(rows):
    """The names of the measurements: every column but the label."""
    return [name for name in rows[0] if name != "species"]


def vector(row, names):
    return [float(row[name]) for name in names]
