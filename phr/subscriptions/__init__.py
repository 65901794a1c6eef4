"""FHIR Subscriptions: software told that something happened, and nothing of what."""
