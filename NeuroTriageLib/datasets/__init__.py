"""Public data sets as they are downloaded, one small file each, and the label store: cases with everything known."""
