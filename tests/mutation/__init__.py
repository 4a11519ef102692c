"""Whether the tests would notice: every single change of a compiled Sensor or EventSource must fail one of them."""
