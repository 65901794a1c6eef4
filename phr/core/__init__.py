"""What everything else stands on: settings, the database, the vault, errors. Imports nothing above it."""
