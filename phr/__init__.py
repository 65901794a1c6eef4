"""Carnet: the application. What a citizen owns, and who may see it."""

VERSION = "0.6.0"
RELEASED = "2026-11-22"
