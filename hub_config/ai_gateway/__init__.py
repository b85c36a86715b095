"""The AI gateway: the only place that holds a provider's key, and the only way from a lab to a model."""
