"""Invertible networks: exact densities of dequantised images."""
