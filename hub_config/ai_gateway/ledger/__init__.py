"""The gateway's ledger: budgets and receipts. Other modules use what is named here, and nothing inside."""

from hub_config.ai_gateway.ledger.chain import GENESIS, verify, verify_sums
from hub_config.ai_gateway.ledger.ledger import Ledger, utc_now
from hub_config.ai_gateway.ledger.store import owner_of
from hub_config.ai_gateway.ledger.terms import (
    ZERO,
    Amount,
    LedgerError,
    Limits,
    Line,
    Opening,
    Place,
    ReceiptQuery,
    Refusal,
    Settlement,
    Usage,
    Use,
    new_receipt_id,
)

__all__ = [
    "GENESIS",
    "ZERO",
    "Amount",
    "Ledger",
    "LedgerError",
    "Limits",
    "Line",
    "Opening",
    "Place",
    "ReceiptQuery",
    "Refusal",
    "Settlement",
    "Usage",
    "Use",
    "new_receipt_id",
    "owner_of",
    "utc_now",
    "verify",
    "verify_sums",
]
