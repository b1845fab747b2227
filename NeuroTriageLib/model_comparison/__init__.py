"""An old model beside a new one on exams that neither learned from, before the new one is used."""
