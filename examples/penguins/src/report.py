"""A page of Markdown: one table and one picture."""

import json
import sys


def main():
    metrics_path, plot_path, out = sys.argv[1:]
    with open(metrics_path, encoding="utf-8") as file:
        metrics = json.load(file)

    kinds = sorted(metrics["accuracy"], key=lambda kind: -metrics["mean_accuracy"][kind])
    seeds = list(metrics["accuracy"][kinds[0]])
    lines = [
        "# Which penguin is it?",
        "",
        f"Share of {metrics['test_rows']} test penguins whose species was guessed right.",
        "",
        "| model | mean | " + " | ".join(seed.replace("_", " ") for seed in seeds) + " |",
        "|---|" + "---:|" * (len(seeds) + 1),
    ]
    for kind in kinds:
        row = [f"**{metrics['mean_accuracy'][kind]:.4f}**"]
        row += [f"{metrics['accuracy'][kind][seed]:.4f}" for seed in seeds]
        lines.append(f"| {kind} | " + " | ".join(row) + " |")
    lines += ["", f"![Confusion matrices]({plot_path})", ""]
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


if __name__ == "__main__":
    main()
