"""Prescriptions: a signed number, its lines, and what is left to dispense, followed by one Task."""
