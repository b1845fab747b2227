"""Tables of the papers, with bootstrap intervals."""
