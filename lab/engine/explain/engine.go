package main

import (
	"context"
	"net/http"
	_ "unsafe" // for go:linkname

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/ratelimit"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	_ "github.com/argoproj/argo-events/pkg/eventsources/sources/github"
	"github.com/argoproj/argo-events/pkg/sensors"
)

// The engine keeps these to itself. Each is called as it stands, so that nothing here imitates it.

//go:linkname parseValidateRequest github.com/argoproj/argo-events/pkg/eventsources/sources/github.parseValidateRequest
func parseValidateRequest(r *http.Request, secret []byte) ([]byte, error)

//go:linkname convertEvent github.com/argoproj/argo-events/pkg/sensors.convertEvent
func convertEvent(event cloudevents.Event) *v1alpha1.Event

//go:linkname eventToString github.com/argoproj/argo-events/pkg/sensors.eventToString
func eventToString(event *v1alpha1.Event) string

//go:linkname initRateLimiter github.com/argoproj/argo-events/pkg/sensors.initRateLimiter
func initRateLimiter(trigger v1alpha1.Trigger)

//go:linkname rateLimiters github.com/argoproj/argo-events/pkg/sensors.rateLimiters
var rateLimiters map[string]ratelimit.Limiter

//go:linkname dependencyExpression github.com/argoproj/argo-events/pkg/sensors.(*SensorContext).getDependencyExpression
func dependencyExpression(sc *sensors.SensorContext, ctx context.Context, trigger v1alpha1.Trigger) (string, error)

//go:linkname triggerActions github.com/argoproj/argo-events/pkg/sensors.(*SensorContext).triggerActions
func triggerActions(sc *sensors.SensorContext, ctx context.Context, s *v1alpha1.Sensor, events map[string]cloudevents.Event, t v1alpha1.Trigger) error
