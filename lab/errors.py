"""What goes wrong in the lab in a way that a person can mend."""


class LabError(Exception):
    """Its text is the whole message for the person at the terminal: what happened and what to do."""
