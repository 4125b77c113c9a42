"""How weights come to be: data, generator, chip-arithmetic training, losses, evaluation and report."""
