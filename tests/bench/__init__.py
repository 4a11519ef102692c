"""How fast, how big, how it grows, on the lab. `make bench` measures all of it and writes docs/performance.md."""
