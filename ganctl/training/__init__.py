"""One run, from its checked settings to its last checkpoint."""
