"""Feature extractors that the systems' networks are built on."""
