"""How much hypothesis tries: few examples and always the same, or with --hypothesis-profile=thorough many new ones."""

import atexit
import gc

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", derandomize=True, deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", settings.get_profile("quick"), derandomize=False, database=None, max_examples=2000, print_blob=True
)
settings.load_profile("quick")

# Thousands of deliveries are kept while the tests run: to look through them for garbage took a tenth of their time.
gc.set_threshold(200_000, 50, 100)
atexit.register(gc.freeze)  # nor is it looked through once more when Python ends


def pytest_collection_finish() -> None:
    gc.freeze()
