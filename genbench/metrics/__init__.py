"""Measures: pure functions of samples, features and likelihoods; none sees training."""
