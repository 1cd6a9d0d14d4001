import csv
import os
import sys

source, target = sys.argv[1:]
with open("params.yaml") as file:
    text = file.read()
every = int(text.split("test_every:")[1].split()[0])
with open(source, newline="") as file:
    rows = list(csv.reader(file))[1:]
rows = [row for row in rows if row[12] != "NA"]
os.makedirs(target)
for name, wanted in (("train", False), ("test", True)):
    with open(os.path.join(target, name + ".csv"), "w", newline="") as file:
        csv.writer(file).writerows(row for at, row in enumerate(rows) if (at % every == 0) == wanted)
