"""Writers of results. They only write; none computes."""
