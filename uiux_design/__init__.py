"""The profession pack of interface designers: wireframes, contrast, target sizes, and their labs."""
