"""The gateway's codes in words. The rule: a code that has no word here is still shown, as text."""

from __future__ import annotations

from hub_config.portal.i18n import N_

KINDS = {
    "chat": N_("Chat"),
    "responses": N_("Chat"),
    "embeddings": N_("Text search"),
    "transcriptions": N_("Speech to text"),
    "speech": N_("Text to speech"),
    "images.generations": N_("Picture made"),
    "images.edits": N_("Picture changed"),
    "-": N_("Booked after a breakdown"),
}
_FAILED = (N_("The model did not answer"), "bad")
_NOT_READY = (N_("The model was not ready"), "todo")
_REFUSED = (N_("Refused: not allowed here"), "todo")
_INTERRUPTED = (N_("Interrupted, counted in full"), "bad")
#: Each outcome in words, with the sign of its badge.
OUTCOMES = {
    "ok": (N_("Answered"), "good"),
    "open": (N_("Running"), "info"),
    "client_left": (N_("Stopped by the learner"), "info"),
    "budget_exceeded": (N_("Refused: budget"), "todo"),
    "ai_off": (N_("Refused: AI was off"), "todo"),
    "too_many_calls": (N_("Refused: too many waiting"), "todo"),
    "context_length_exceeded": (N_("Refused: too long"), "todo"),
    "model_not_allowed": _REFUSED,
    "feature_not_allowed": _REFUSED,
    "endpoint_not_served": _REFUSED,
    "endpoint_not_allowed": _REFUSED,
    "model_loading": _NOT_READY,
    "model_missing": _NOT_READY,
    "upstream_unavailable": _FAILED,
    "upstream_timeout": _FAILED,
    "upstream_broken": _FAILED,
    "upstream_paused": _FAILED,
    "upstream_busy": _FAILED,
    "upstream_failed": _FAILED,
    "upstream_misconfigured": _FAILED,
    "upstream_rejected": _FAILED,
    "gateway_died": _INTERRUPTED,
    "machine_died": _INTERRUPTED,
}
OTHER_OUTCOME = (N_("Did not complete"), "todo")
ACCOUNTS = {
    ("learner", "all"): N_("Learner, whole course"),
    ("learner", "day"): N_("Learner, per day"),
    ("lab", "all"): N_("Learner, this lab"),
    ("lab", "day"): N_("Learner, this lab, per day"),
    ("course", "all"): N_("Whole course"),
    ("course", "day"): N_("Whole course, per day"),
    ("institution", "all"): N_("Institution"),
    ("institution", "day"): N_("Institution, per day"),
}
UPSTREAM_STATES = {
    "closed": (N_("Working"), "good"),
    "half_open": (N_("Being tried again"), "todo"),
    "open": (N_("Not answering, paused"), "bad"),
}
