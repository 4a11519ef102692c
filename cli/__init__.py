"""What a person runs: render, deliver."""
