"""Which steps have there been?  In the order of their numbers; a step that was shipped stays."""
