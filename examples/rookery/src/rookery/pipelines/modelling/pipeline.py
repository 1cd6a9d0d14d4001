from kedro.pipeline import Pipeline, node, pipeline

from .nodes import evaluate, split, train


def create_pipeline(**kwargs) -> Pipeline:
    base = Pipeline(
        [
            node(split, ["birds@pandas", "params:options"], ["x_train", "x_test", "y_train", "y_test"], name="split"),
            node(train, {"x": "x_train", "y": "y_train", "options": "params:options"}, "model", name="train", tags=["training"]),
            node(evaluate, ["model", "x_test", "y_test"], "metrics", name="evaluate"),
        ]
    )
    return sum(
        (
            pipeline(base, inputs={"birds@pandas"}, parameters={"params:options": f"params:{kind}.options"}, namespace=kind)
            for kind in ("linear", "forest")
        ),
        Pipeline([]),
    )
