"""Faults in the middle of a burst, on the lab. `make faults` runs every row and writes docs/reliability.md."""
