"""Field notes to a table: short column names, the species in one word, complete rows only."""

import argparse
import re

import tables


def snake_case(title):
    """`Culmen Length (mm)` becomes `culmen_length_mm`."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw")
    parser.add_argument("clean")
    parser.add_argument("--columns", nargs="+", required=True)
    args = parser.parse_args()

    clean = []
    raw = tables.read(args.raw)
    for row in raw:
        row = {snake_case(title): value for title, value in row.items()}
        measurements = {name: row[name] for name in args.columns}
        if "NA" not in measurements.values():
            clean.append({"species": row["species"].split()[0], **measurements})
    tables.write(args.clean, clean)
    print(f"{len(clean)} of {len(raw)} penguins have every measurement")


if __name__ == "__main__":
    main()
