"""From `_target_` to objects, of trusted classes only."""
