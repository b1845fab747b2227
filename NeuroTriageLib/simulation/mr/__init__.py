"""The brain-MRI simulator: tissue and lesions as materials, contrasts from signal equations, exact truth."""
