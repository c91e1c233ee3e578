"""Runs side by side: what they were, how they compare, and a page that shows it."""
