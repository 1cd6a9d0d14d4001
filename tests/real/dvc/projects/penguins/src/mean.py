import csv
import sys

source, species, column = sys.argv[1:]
with open(source, newline="") as file:
    values = [float(row[int(column)]) for row in csv.reader(file) if row[2].startswith(species)]
print(f"{sum(values) / len(values):.3f}")
