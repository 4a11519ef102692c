"""The embedded engine: a real Kubernetes API, NATS JetStream, Argo Events and Argo Workflows as plain processes."""
