"""The embedded engine: a real Kubernetes API, NATS, Argo Events and Argo Workflows as plain processes."""
