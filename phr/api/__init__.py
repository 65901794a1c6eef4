"""Thin HTTP routes: each names its reader and its journal tag, and calls one feature."""
