"""Appointments and reminders."""
