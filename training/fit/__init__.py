"""Training of encoder and decoder."""
