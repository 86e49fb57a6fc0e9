"""Small management programs in the style of known ones, over the library's public API.

Each is written as its original is today, with the ordering bugs of its past repaired; half of the
documented bugs were in programs like these. A mutant of the zoo puts one of them back. They are
also examples of how to listen to events: read the one that is closest to yours.
"""
