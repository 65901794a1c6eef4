"""Who may see what: readers, the policy, the keyring and the journal."""
