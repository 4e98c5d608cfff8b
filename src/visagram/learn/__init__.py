"""Training and evaluating expression models (extra `[train]`: needs torch)."""
