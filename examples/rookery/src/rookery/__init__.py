"""Which penguins weigh what: a Kedro project."""

__version__ = "0.1.0"
