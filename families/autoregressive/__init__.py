"""Models that predict each value from the ones before it: exact likelihoods, slow samples."""
