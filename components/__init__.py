"""The only place with resources. Components take compiled objects and never see a route."""

PACKAGE = "github-to-argo:index"
