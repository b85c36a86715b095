"""`kill -9` of the Hub and of the template while ten servers work: nobody notices. `make bench-kills` is the long form, with limits of time."""

from __future__ import annotations

import pytest
from running import Installation
from server_kills import kills, ten_servers
from taken import named

pytestmark = [pytest.mark.browser, pytest.mark.long]
KILLS = 3


def servers_of(site: Installation) -> set[int]:
    """The processes of people's servers."""
    return set(named(site.process.pid, "lab-server"))


@pytest.mark.timeout(400)
async def test_no_request_to_a_server_fails_and_everybodys_server_is_taken_up_again(practicum: Installation) -> None:
    others = servers_of(practicum)  # other tests' people have theirs
    async with ten_servers(practicum) as servers:
        started = await servers.started()
        assert len(servers_of(practicum) - others) == 10
        for name in ("hub", "template"):
            await kills(servers, name, KILLS)
        assert await servers.all_adopted()
        assert await servers.started() == started
        assert servers.failures == []
        assert servers.asked > 100
    # The Hub has ended them: nothing of them is left.
    assert servers_of(practicum) <= others
