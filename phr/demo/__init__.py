"""The demo world: a small invented French population, its professionals, papers and software clients.

Made by code from one date, the same bytes every time. Names and facts are invented; every INS is a test one.
"""
