"""What a person runs: show, render, settings, explain, diff, deliver, redeliver, rerun, rotate."""
