"""The gateway of secure health messaging: mail that becomes a thread's message, and back."""
