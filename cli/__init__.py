"""What a person runs: show, render, settings, deliver."""
