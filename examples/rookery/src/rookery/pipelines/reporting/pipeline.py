from kedro.pipeline import Pipeline, node

from .nodes import announce, by_species, compare, make_judge, plot


def create_pipeline(**kwargs) -> Pipeline:
    return Pipeline(
        [
            node(plot, ["birds@pandas", "params:plot.colours"], "mass_plot", name="plot", tags=["report"]),
            node(by_species, "birds@pandas", "species_tables", name="by_species", tags=["report"]),
            node(make_judge, "params:judge.limit", "judge", name="make_judge"),
            node(compare, ["judge", "linear.metrics", "forest.metrics"], "verdicts", name="compare"),
            node(announce, ["verdicts", "birds_size"], None, name="announce"),
        ]
    )
