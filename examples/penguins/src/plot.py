"""Confusion matrices, one a model, over all its seeds, as an SVG picture."""

import sys
from collections import Counter

import tables

CELL, LEFT, TOP, GAP = 64, 96, 64, 40


def panel(kind, labels, counts, x0):
    """One matrix: a row a true species, a column a guess; the share of the row as darkness."""
    yield f'<text class="title" x="{x0 + CELL * len(labels) / 2}" y="{TOP - 36}">{kind}</text>'
    for i, truth in enumerate(labels):
        total = sum(counts[kind, truth, guess] for guess in labels)
        yield f'<text x="{x0 + CELL * (i + 0.5)}" y="{TOP - 12}">{truth}</text>'
        for j, guess in enumerate(labels):
            count = counts[kind, truth, guess]
            share = count / total
            x, y = x0 + CELL * j, TOP + CELL * i
            ink = "white" if share > 0.5 else "black"
            yield f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill-opacity="{share:.3f}"/>'
            yield f'<text x="{x + CELL / 2}" y="{y + CELL / 2 + 5}" fill="{ink}">{count}</text>'


def main():
    predictions_path, out = sys.argv[1:]
    rows = tables.read(predictions_path)
    counts = Counter((row["model"], row["species"], row["guess"]) for row in rows)
    labels = sorted({row["species"] for row in rows})
    kinds = list(dict.fromkeys(row["model"] for row in rows))

    side = CELL * len(labels)
    width, height = LEFT + len(kinds) * (side + GAP), TOP + side + 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        "<style>text{font:12px sans-serif;text-anchor:middle}.title{font-weight:bold;font-size:14px}"
        ".side{text-anchor:end}rect{fill:#1b4965;stroke:#ccc}</style>",
    ]
    for i, truth in enumerate(labels):
        lines.append(f'<text class="side" x="{LEFT - 8}" y="{TOP + CELL * (i + 0.5) + 5}">{truth}</text>')
    for index, kind in enumerate(kinds):
        lines += panel(kind, labels, counts, LEFT + index * (side + GAP))
    lines.append(f'<text x="{width / 2}" y="{height - 10}">rows: the true species; columns: the guess</text>')
    lines.append("</svg>")
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
