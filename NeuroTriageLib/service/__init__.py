"""The node beside the PACS: exams arrive, are read in order of urgency, and answered exactly once."""
