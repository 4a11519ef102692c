"""The alerts and the dashboard on a real Prometheus, which reads the lab."""
