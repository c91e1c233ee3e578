"""Run folders and their files: made, found, locked, written whole. No Lightning, no Hydra."""
