"""Models with a code: encoder, decoder, and a bound on the likelihood."""
