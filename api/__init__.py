"""The shell on HTTP: live balances and forecasts of every account, from a view of its own.

Each API process reads the state rows that workers make durable into the same columns and asks the
same core functions, so it needs no worker to answer.  It writes nothing and decides nothing.
"""
