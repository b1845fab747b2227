"""Whole archives: every exam read once, on this machine or on a cluster, and a table of the results."""
