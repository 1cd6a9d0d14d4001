from kedro.pipeline import Pipeline, node

from .nodes import count_lines, join, preprocess_islands, preprocess_measurements, preprocess_nests


def create_pipeline(**kwargs) -> Pipeline:
    return Pipeline(
        [
            node(preprocess_measurements, "measurements", "clean_measurements", name="preprocess_measurements", tags=["preparation"]),
            node(preprocess_islands, "islands", "clean_islands", name="preprocess_islands", tags=["preparation"]),
            node(preprocess_nests, "nests", "clean_nests", name="preprocess_nests", tags=["preparation"]),
            node(join, ["clean_measurements", "clean_islands", "clean_nests"], "birds@pandas", name="join"),
            node(count_lines, "birds@text", "birds_size", name="count_lines"),
        ]
    )
