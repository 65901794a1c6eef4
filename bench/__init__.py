"""Benchmarks that print ratios: what Carnet costs against a floor of the same machine, in the same run."""
