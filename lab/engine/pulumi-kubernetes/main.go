// The Pulumi Kubernetes provider, as its module ships it. Its own main embeds files that the module leaves out.
package main

import "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"

func main() {
	provider.Serve("kubernetes", "v4.26.0", []byte("{}"), []byte("{}"))
}
