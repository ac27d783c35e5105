"""What every adversarial model shares: losses, penalties, terms, networks, and the round of critic and generator."""
