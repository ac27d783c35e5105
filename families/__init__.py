"""The models: one package a family, each readable without the others."""
