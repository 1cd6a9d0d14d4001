"""Small pipelines, each a case of `--only-missing-outputs`."""
