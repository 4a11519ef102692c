// What the engine does with deliveries, said by the engine's own code: the EventSource's parsing, the Sensors' filters,
// parameters and triggers of Argo Events, without a cluster. One request a line on standard input, one answer a line.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/Knetic/govaluate"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/eventsources/events"
	"github.com/argoproj/argo-events/pkg/metrics"
	"github.com/argoproj/argo-events/pkg/reconciler/eventbus"
	"github.com/argoproj/argo-events/pkg/reconciler/eventsource"
	"github.com/argoproj/argo-events/pkg/reconciler/sensor"
	"github.com/argoproj/argo-events/pkg/sensors"
	"github.com/argoproj/argo-events/pkg/sensors/dependencies"
	"github.com/argoproj/argo-events/pkg/shared/logging"
	sharedutil "github.com/argoproj/argo-events/pkg/shared/util"
)

// request: which EventSource takes the deliveries and which Sensors hear of them, or objects to validate.
type request struct {
	EventSource *v1alpha1.EventSource `json:"eventSource"`
	Sensors     []*v1alpha1.Sensor    `json:"sensors"`
	Deliveries  []delivery            `json:"deliveries"`
	// What the Secret of the EventSource's webhookSecret holds. Without either, signatures are not checked.
	Secret string `json:"secret"`
	// Whether the API server refuses all that the Sensors ask of it.
	Refuses bool `json:"refuses"`
	// The largest message that the EventBus takes, in bytes.
	MaxMessage int `json:"maxMessage"`
	// Whether to tell of the dependencies that do not pass too, and by which filters.
	Filters bool `json:"filters"`
	// Whether to tell what a second delivery of the same does. It is tried until one did nothing by the same dependency.
	Twice bool `json:"twice"`
	// How often to measure what the Sensors' filters cost over all deliveries, in place of what becomes of these.
	Rounds   int               `json:"rounds"`
	Validate []json.RawMessage `json:"validate"`
}

type delivery struct {
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
}

type answer struct {
	Error      string     `json:"error,omitempty"`
	Deliveries []taken    `json:"deliveries,omitempty"`
	Sensors    [][]limits `json:"sensors,omitempty"`
	Validated  []string   `json:"validated,omitempty"`
	// Of each Sensor, in nanoseconds of processor time, each round over all deliveries.
	Costs [][]int64 `json:"costs,omitempty"`
}

// taken: what the EventSource answers GitHub, and what each Sensor makes of it. Status 0: it drops the connection.
type taken struct {
	Status  int         `json:"status"`
	Text    string      `json:"text"`
	Message int         `json:"message,omitempty"`
	Sensors [][]outcome `json:"sensors,omitempty"`
}

// outcome: one trigger's look at the event by one of its dependencies.
type outcome struct {
	Trigger    string    `json:"trigger"`
	Dependency string    `json:"dependency"`
	Passes     bool      `json:"passes"`
	Error      string    `json:"error,omitempty"`
	Filters    []verdict `json:"filters,omitempty"`
	// What the trigger made, why it failed, and what a second delivery of the same does: nothing when empty.
	Object      map[string]any `json:"object,omitempty"`
	Failure     string         `json:"failure,omitempty"`
	Redelivered string         `json:"redelivered,omitempty"`
}

// verdict: one filter alone. Found is the JSON that the delivery holds at the filter's path, or at each of its fields'.
type verdict struct {
	Kind   string   `json:"kind"`
	Passes bool     `json:"passes"`
	Error  string   `json:"error,omitempty"`
	Found  []string `json:"found,omitempty"`
}

// limits: how fast and how long one trigger tries, in milliseconds. 0: as fast as it can; one attempt.
type limits struct {
	Trigger  string  `json:"trigger"`
	Every    float64 `json:"every"`
	Patience float64 `json:"patience"`
}

var quiet = logging.WithLogger(context.Background(), zap.NewNop().Sugar())

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	// The engine prints what it logs of parameters: payloads, which are nobody's business here.
	os.Stdout, _ = os.Open(os.DevNull)
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			_ = out.Encode(respond(line))
		}
		if err != nil {
			return
		}
	}
}

func respond(line []byte) answer {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: err.Error()}
	}
	told := answer{}
	for _, object := range asked.Validate {
		told.Validated = append(told.Validated, text(validate(object)))
	}
	contexts := make([]*listener, len(asked.Sensors))
	for i, s := range asked.Sensors {
		listening, err := listen(s)
		if err != nil {
			return answer{Error: fmt.Sprintf("Sensor %s: %v", s.Name, err)}
		}
		contexts[i] = listening
		told.Sensors = append(told.Sensors, listening.limits)
	}
	if asked.Rounds > 0 {
		if err := measure(&asked, contexts, &told); err != nil {
			return answer{Error: err.Error()}
		}
		return told
	}
	told.Deliveries = make([]taken, len(asked.Deliveries))
	var wait sync.WaitGroup
	turn := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range asked.Deliveries {
		wait.Add(1)
		turn <- struct{}{}
		go func() {
			defer wait.Done()
			told.Deliveries[i] = deliver(&asked, asked.Deliveries[i], contexts)
			<-turn
		}()
	}
	wait.Wait()
	return told
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// deliver: as the EventSource's route handles a request, and then each Sensor the message.
func deliver(asked *request, d delivery, listeners []*listener) (told taken) {
	if asked.EventSource == nil {
		return taken{Text: "no EventSource"}
	}
	defer func() {
		if r := recover(); r != nil {
			told = taken{Text: fmt.Sprint(r)}
		}
	}()
	for name, source := range asked.EventSource.Spec.Github {
		message, refused := publish(asked, d, name, source)
		if refused != nil {
			return *refused
		}
		told = taken{Status: http.StatusOK, Text: "success", Message: len(message)}
		var event *cloudevents.Event
		if err := json.Unmarshal(message, &event); err != nil {
			return taken{Text: err.Error()}
		}
		for _, l := range listeners {
			outcomes := []outcome{}
			for _, t := range l.triggers {
				for _, dependency := range t.dependencies {
					if dependency.EventSourceName == event.Source() && dependency.EventName == event.Subject() {
						if told := l.hear(asked, t, dependency, *event); asked.Filters || told.Passes || told.Error != "" {
							outcomes = append(outcomes, told)
						}
					}
				}
			}
			told.Sensors = append(told.Sensors, outcomes)
		}
		return told
	}
	return taken{Text: "the EventSource takes nothing from GitHub"}
}

// publish: the message for the EventBus, or what GitHub is answered instead.
func publish(asked *request, d delivery, name string, source v1alpha1.GithubEventSource) ([]byte, *taken) {
	post, err := http.NewRequest(http.MethodPost, "/", nil)
	if err != nil {
		return nil, &taken{Text: err.Error()}
	}
	for key, value := range d.Headers {
		post.Header.Set(key, value)
	}
	post.Body = http.MaxBytesReader(nil, io.NopCloser(bytes.NewReader(d.Body)), source.Webhook.GetMaxPayloadSize())
	secret := asked.Secret
	if source.WebhookSecret == nil {
		secret = ""
	}
	body, err := parseValidateRequest(post, []byte(secret))
	if err != nil {
		return nil, &taken{Status: http.StatusBadRequest, Text: err.Error()}
	}
	data, err := json.Marshal(&events.GithubEventData{Headers: post.Header, Body: (*json.RawMessage)(&body), Metadata: source.Metadata})
	if err != nil {
		return nil, &taken{Status: http.StatusBadRequest, Text: "invalid event"}
	}
	event := cloudevents.NewEvent()
	event.SetID(strings.Repeat("0", 32))
	event.SetType(string(v1alpha1.GithubEvent))
	event.SetSource(asked.EventSource.Name)
	event.SetSubject(name)
	event.SetTime(time.Now())
	if err := event.SetData(cloudevents.ApplicationJSON, data); err != nil {
		return nil, &taken{Text: err.Error()}
	}
	message, err := json.Marshal(event)
	if err != nil {
		return nil, &taken{Text: err.Error()}
	}
	// What NATS counts: the message and its header with the event's id.
	size := len(message) + len("NATS/1.0\r\nNats-Msg-Id: \r\n\r\n") + len(event.ID())
	if asked.MaxMessage > 0 && size > asked.MaxMessage {
		return nil, &taken{Status: http.StatusInternalServerError, Text: "failed to record event", Message: size}
	}
	return message, nil
}

// listener: a Sensor, ready to hear events.
type listener struct {
	sensor   *v1alpha1.Sensor
	triggers []trigger
	limits   []limits
	// Of which trigger and dependency a redelivery was tried and did nothing.
	repeats sync.Map
}

type trigger struct {
	v1alpha1.Trigger
	dependencies []v1alpha1.EventDependency
	expression   *govaluate.EvaluableExpression
}

// listen: as a Sensor begins, up to where it would connect to the EventBus.
func listen(s *v1alpha1.Sensor) (*listener, error) {
	l := &listener{sensor: s}
	sc := sensors.NewSensorContext(nil, nil, s, nil, "", "", nil)
	named := map[string]v1alpha1.EventDependency{}
	for _, dependency := range s.Spec.Dependencies {
		named[dependency.Name] = dependency
	}
	for _, t := range s.Spec.Triggers {
		conditions, err := dependencyExpression(sc, quiet, t)
		if err != nil {
			return nil, fmt.Errorf("trigger %s: conditions: %w", t.Template.Name, err)
		}
		expression, err := govaluate.NewEvaluableExpression(strings.ReplaceAll(conditions, "-", "\\-"))
		if err != nil {
			return nil, fmt.Errorf("trigger %s: conditions: %w", t.Template.Name, err)
		}
		mine := trigger{Trigger: t, expression: expression}
		seen := map[string]bool{}
		for _, name := range expression.Vars() {
			dependency, found := named[name]
			if !found {
				return nil, fmt.Errorf("trigger %s: conditions: there is no dependency %s", t.Template.Name, name)
			}
			if !seen[name] {
				seen[name] = true
				mine.dependencies = append(mine.dependencies, dependency)
			}
		}
		pace, err := paceOf(t)
		if err != nil {
			return nil, fmt.Errorf("trigger %s: %w", t.Template.Name, err)
		}
		l.triggers = append(l.triggers, mine)
		l.limits = append(l.limits, pace)
	}
	return l, nil
}

// paceOf: the interval of the engine's own limiter, and how long its own backoff lasts.
func paceOf(t v1alpha1.Trigger) (pace limits, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rateLimit: %v", r)
		}
	}()
	initRateLimiter(t)
	limiter := reflect.ValueOf(rateLimiters[t.Template.Name])
	delete(rateLimiters, t.Template.Name) // else the trigger would wait its turn here
	pace.Trigger = t.Template.Name
	if limiter.Kind() == reflect.Pointer {
		pace.Every = float64(limiter.Elem().FieldByName("perRequest").Int()) / float64(time.Millisecond)
	}
	if t.RetryStrategy != nil {
		backoff, err := sharedutil.Convert2WaitBackoff(t.RetryStrategy)
		if err != nil {
			return pace, fmt.Errorf("retryStrategy: %w", err)
		}
		backoff.Jitter = 0
		var patience time.Duration
		for attempts := backoff.Steps; attempts > 1; attempts-- {
			patience += backoff.Step()
		}
		pace.Patience = float64(patience) / float64(time.Millisecond)
	}
	return pace, nil
}

// measure: what each Sensor spends on messages up to where a trigger would act, the Sensors in turn in each round.
func measure(asked *request, listeners []*listener, told *answer) error {
	messages := [][]byte{}
	for _, d := range asked.Deliveries {
		for name, source := range asked.EventSource.Spec.Github {
			message, refused := publish(asked, d, name, source)
			if refused != nil {
				return fmt.Errorf("the EventSource takes not every delivery: %s", refused.Text)
			}
			messages = append(messages, message)
		}
	}
	told.Costs = make([][]int64, len(listeners))
	for range asked.Rounds {
		for i, l := range listeners {
			began := processorTime()
			for _, message := range messages {
				if err := l.sift(message); err != nil {
					return err
				}
			}
			runtime.GC() // what this one left behind is its own
			told.Costs[i] = append(told.Costs[i], processorTime()-began)
		}
	}
	return nil
}

// sift: what each trigger's connection to the EventBus does with a message, in the order in which the engine does it.
func (l *listener) sift(message []byte) error {
	for _, t := range l.triggers {
		var event *cloudevents.Event
		if err := json.Unmarshal(message, &event); err != nil {
			return err
		}
		for _, dependency := range t.dependencies {
			converted := convertEvent(*event)
			passes, _ := dependencies.Filter(converted, dependency.Filters, dependency.FiltersLogicalOperator)
			if !passes {
				_ = eventToString(converted) // for a line of its log, written or not
			}
		}
	}
	return nil
}

// processorTime: of this process, with its garbage collection.
func processorTime() int64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return used.Utime.Nano() + used.Stime.Nano()
}

// hear: a trigger looks at an event by one dependency, and acts when its filters let it through.
func (l *listener) hear(asked *request, t trigger, dependency v1alpha1.EventDependency, event cloudevents.Event) outcome {
	told := outcome{Trigger: t.Template.Name, Dependency: dependency.Name}
	converted := convertEvent(event)
	passes, err := dependencies.Filter(converted, dependency.Filters, dependency.FiltersLogicalOperator)
	told.Passes, told.Error = passes, text(err)
	if !passes {
		if asked.Filters && dependency.Filters != nil {
			told.Filters = alone(converted, dependency.Filters)
		}
		return told
	}
	met := map[string]any{}
	for _, other := range t.dependencies {
		met[other.Name] = other.Name == dependency.Name
	}
	if enough, err := t.expression.Evaluate(met); err != nil || enough != true {
		told.Failure = "waits for its other dependencies " + text(err)
		return told
	}
	cluster := dynamicfake.NewSimpleDynamicClient(k8sruntime.NewScheme())
	if asked.Refuses {
		cluster.PrependReactor("*", "*", func(clienttesting.Action) (bool, k8sruntime.Object, error) {
			return true, nil, errors.New("the API server refuses")
		})
	}
	sc := sensors.NewSensorContext(nil, cluster, l.sensor, nil, "", "", metrics.NewMetrics(l.sensor.Namespace))
	act := func() (map[string]any, error) {
		err := triggerActions(sc, quiet, l.sensor, map[string]cloudevents.Event{dependency.Name: event}, *t.Trigger.DeepCopy())
		if asked.Refuses {
			return nil, err
		}
		return made(cluster, !t.AtLeastOnce), err
	}
	object, err := act()
	if err != nil {
		told.Failure = err.Error()
		return told
	}
	told.Object = object
	// What makes another Workflow of the same delivery stands in the trigger, not in the delivery: one that did not is enough.
	way := t.Template.Name + " " + dependency.Name
	if _, tried := l.repeats.Load(way); tried || !asked.Twice {
		return told
	}
	again, err := act()
	if err != nil {
		told.Redelivered = err.Error()
	} else if !reflect.DeepEqual(again, object) {
		told.Redelivered = "the Workflow is changed"
	} else {
		l.repeats.Store(way, true)
	}
	return told
}

// made: what was last written to the cluster. Without `atLeastOnce` the engine does not wait for it, so this does.
func made(cluster *dynamicfake.FakeDynamicClient, wait bool) map[string]any {
	for range 100 {
		actions := cluster.Actions()
		for i := len(actions) - 1; i >= 0; i-- {
			if created, ok := actions[i].(clienttesting.CreateAction); ok {
				object := created.GetObject().(*unstructured.Unstructured)
				return object.DeepCopy().Object
			}
		}
		if !wait {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// alone: each filter of a dependency by itself, in the order in which the manifest has them, exprs first. What comes
// after the first of `data` that stops the event is not tried.
func alone(event *v1alpha1.Event, filters *v1alpha1.EventDependencyFilter) []verdict {
	told := []verdict{}
	try := func(kind string, filter v1alpha1.EventDependencyFilter, paths ...string) bool {
		passes, err := dependencies.Filter(event, &filter, "")
		found := []string{}
		for _, path := range paths {
			found = append(found, gjson.GetBytes(event.Data, path).Raw)
		}
		told = append(told, verdict{Kind: kind, Passes: passes, Error: text(err), Found: found})
		return passes
	}
	for _, expr := range filters.Exprs {
		paths := []string{}
		for _, field := range expr.Fields {
			paths = append(paths, field.Path)
		}
		try("exprs", v1alpha1.EventDependencyFilter{Exprs: []v1alpha1.ExprFilter{expr}}, paths...)
	}
	for _, data := range filters.Data {
		if !try("data", v1alpha1.EventDependencyFilter{Data: []v1alpha1.DataFilter{data}}, data.Path) {
			break
		}
	}
	return told
}

// validate: as the controller does before it deploys anything.
func validate(manifest []byte) error {
	var kind struct{ Kind string }
	if err := json.Unmarshal(manifest, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "EventBus":
		object := &v1alpha1.EventBus{}
		if err := json.Unmarshal(manifest, object); err != nil {
			return err
		}
		return eventbus.ValidateEventBus(object)
	case "EventSource":
		object := &v1alpha1.EventSource{}
		if err := json.Unmarshal(manifest, object); err != nil {
			return err
		}
		return eventsource.ValidateEventSource(object)
	case "Sensor":
		object := &v1alpha1.Sensor{}
		if err := json.Unmarshal(manifest, object); err != nil {
			return err
		}
		return sensor.ValidateSensor(object, &v1alpha1.EventBus{})
	}
	return fmt.Errorf("the engine validates no %s", kind.Kind)
}
