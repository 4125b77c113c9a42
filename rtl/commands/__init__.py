"""Commands of the RTL."""
