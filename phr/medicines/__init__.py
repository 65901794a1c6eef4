"""Medicines: the public database as the operator loaded it, and what is checked with it."""
