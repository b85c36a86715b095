"""What a start makes of an end that was not clean. The rule: what may have been spent counts as spent, and every won and
token of it stands on a receipt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from hub_config.ai_gateway.ledger.leases import Leaf, Written
from hub_config.ai_gateway.ledger.rows import Row, ending, lost
from hub_config.ai_gateway.ledger.spool import Remains
from hub_config.ai_gateway.ledger.store import Store
from hub_config.ai_gateway.ledger.terms import (
    GATEWAY_DIED,
    MACHINE_DIED,
    ZERO,
    Amount,
    Place,
    Settlement,
    new_receipt_id,
)


def recover(store: Store, remains: Remains, now: datetime) -> None:
    """Write what the last gateway knew and did not commit, and close its leases, in one transaction."""
    died = GATEWAY_DIED if remains.exact else MACHINE_DIED
    rows = [row for row in _closed(remains.events, died) if not store.has(row["id"])]
    leaves = {(leaf.place, leaf.day): leaf for leaf in store.leased()}
    for row in rows:
        place, day = Place(row["learner"], row["course"], row["lab"]), date.fromisoformat(row["day"])
        leaf = leaves.get((place, day)) or leaves.setdefault((place, day), store.leaf(place, day))
        leaf.spent += Amount(row["cost_krw"], row["cost_tokens"])
    if not remains.exact:
        rows += [rest for leaf in leaves.values() if (rest := _unaccounted(leaf, now))]
    store.write(rows, [Written(leaf, leaf.spent, leaf.spent) for leaf in leaves.values()])


def _closed(events: Iterable[Row], died: str) -> list[Row]:
    """Put each receipt's events together; a call that was still running costs its whole reservation."""
    calls: dict[str, Row] = {}
    for event in events:
        calls[event["id"]] = calls.get(event["id"], {}) | event
    # The end of a call whose beginning is not there is one that the database has.
    begun = [row for row in calls.values() if "learner" in row]
    return [row if row["outcome"] else row | ending(row, Settlement(died, cost_krw=None), 0) for row in begun]


def _unaccounted(leaf: Leaf, now: datetime) -> Row | None:
    """What of a lease stands on no receipt may have been spent: nobody knows."""
    rest = leaf.leased - leaf.spent
    rest = Amount(max(0, rest.krw), max(0, rest.tokens))
    if rest == ZERO:
        return None
    leaf.spent += rest
    return lost(new_receipt_id(), leaf.place, leaf.day, rest, MACHINE_DIED, now)
