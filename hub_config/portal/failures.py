"""What a page that cannot be shown says, by its status. The rule: each says what is wrong and what to do, on the Hub's pages too."""

from __future__ import annotations

from hub_config.portal.i18n import N_

TITLES = {
    400: N_("That did not work"),
    403: N_("You have no access to this page"),
    404: N_("There is no such page"),
    413: N_("That is too much"),
    429: N_("That was too often"),
    500: N_("Something went wrong"),
    503: N_("Not available right now"),
}
ADVICE = {
    400: N_("Go back and check what you entered."),
    403: N_("If you should have access, ask the person in charge at your institution to add your role."),
    404: N_("Check the address, or start again from your home page."),
    413: N_("Go back and enter less text."),
    429: N_("Wait a minute and reload the page."),
    500: N_("Try again in a minute. If it happens again, tell the person who runs this service."),
    503: N_("Wait a moment and reload the page."),
}


def failure(status: int) -> tuple[str, str]:
    """The title and the advice of a status, as messages of the catalogue."""
    known = status if status in TITLES else 400 if status < 500 else 500
    return TITLES[known], ADVICE[known]
