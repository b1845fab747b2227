"""One code for training and inference: what turns a source volume into what a network sees, and back."""
