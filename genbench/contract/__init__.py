"""What the interface asks of every model, as checks of seconds on tiny images: see :mod:`genbench.contract.checks`."""
