"""The mutants, one file each."""
