"""How Kilowatch runs: the command line, and everything on one machine for a first look.

Nothing about accounts or money is decided here; the processes started here do that.
"""
