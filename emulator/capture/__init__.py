"""Captures of the output links as a test stand records them: numbered, aligned, decoded and compared."""
