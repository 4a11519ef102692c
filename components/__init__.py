"""The only place with resources. Components take compiled objects and never see a route.

Objects are applied as they were compiled: what `make render` prints is what is deployed. So their order comes from
`after` (depends_on), not from outputs written into their fields.
"""

PACKAGE = "github-to-argo:index"
