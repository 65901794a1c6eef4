"""Two small OpenID providers to sign in with by picking a person. In a sandbox only: they refuse to exist elsewhere."""
