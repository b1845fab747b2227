"""Training: sampling, loop, checkpoints, model packs."""
