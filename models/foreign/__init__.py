"""Encoders in the files of other programs: Keras archives, HDF5, SavedModel folders, frozen graphs."""
