"""How does an older history database come to today's shapes?  One step per file in versions/."""
