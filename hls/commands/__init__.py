"""Commands of the C++ side."""
