"""The profession pack of publishers: book proposals, facts against a brief, and their labs."""
