"""What an encoder is: number formats, encoder spec, weights, trigger-cell geometry, chip registers."""
