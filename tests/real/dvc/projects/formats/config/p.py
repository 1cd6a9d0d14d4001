"""Parameters."""
RATE: float = 1e-3
OTHER = 1


class Model:
    layers = (1, 2)

    def __init__(self):
        self.width = 3
