"""Bad input: generated requests at the EventSource of the running lab, and what each kind of them gets."""
