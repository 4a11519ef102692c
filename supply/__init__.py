"""What the project is made of: locks with hashes, known vulnerabilities, and a bill of materials."""
