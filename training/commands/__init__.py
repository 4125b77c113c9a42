"""Commands of the training, one file each."""
