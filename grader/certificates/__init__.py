"""Certificates of completion: the paper, the badge, the key that signs it, and the lists that say which no longer hold."""
