"""Results as DICOM objects in the patient's own study; written with highdicom."""
