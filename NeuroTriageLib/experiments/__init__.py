"""The papers' experiments: from one protocol file to trained folds, their test exams read, and one report."""
