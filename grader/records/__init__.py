"""The records: a database of plain facts, a blob store of files by content, and the journal that decisions rest on."""
