"""How −log₂ P of an image is computed: exactly, by a bound, or by annealed importance sampling."""
