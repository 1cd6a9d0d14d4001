"""Kedro's door to jalon: `kedro run --runner=jalon.JalonRunner`, and `kedro jalon`."""


def __getattr__(name):
    # Kedro is imported by who asks for the runner, not by who only has the package.
    if name == "JalonRunner":
        from jalon.runner import JalonRunner

        return JalonRunner
    raise AttributeError(name)
