"""API keys: issued, rotated, revoked and verified; kept as keyed hashes alone."""
