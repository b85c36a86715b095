"""The composition root: the Hub, its services, the AI gateway and the portal. Nothing imports it."""
