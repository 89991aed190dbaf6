"""A seeded utility: customers, meters, a payments office, a field system, and what goes wrong.

It drives Kilowatch through Kafka (`drive`, `replay`) and the same world, in process, feeds the
tests.  Reading order: customers, meters, habits, faults, field, world, log, drive, replay.
"""
