"""One description of each result: written and read through it, and used by its attributes everywhere."""
