"""The shell on Kafka: how records become events, and how rows and effects become records.

It is the only place that knows Faust.  From outside it shows its contract: `topics`, `wire`, `rows`
and `settings`.  What an event means for an account is told in `scoring`.
"""
