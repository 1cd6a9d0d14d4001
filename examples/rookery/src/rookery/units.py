"""Numbers that several pipelines share."""

GRAMS = 1000


def kilograms(grams):
    return grams / GRAMS


def pounds(grams):
    return grams / 453.59237
