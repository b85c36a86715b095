"""The feedback pages of several notebooks as one, because the records keep one page of a submission."""

from __future__ import annotations

from collections.abc import Sequence


def joined(pages: Sequence[str]) -> str:
    """The first page's head, and everybody's body."""
    if len(pages) == 1:
        return pages[0]
    head, tag, _ = pages[0].partition("<body>")
    bodies = [page.partition("<body>")[2].rpartition("</body>")[0] for page in pages]
    return f"{head}{tag}{'<hr>'.join(bodies)}</body></html>\n"
