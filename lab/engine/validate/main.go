// Argo Workflows' own validation, as its controller does it before it runs a Workflow.
//
// Each line of standard input is a request, {"templates": [WorkflowTemplate…], "workflows": [Workflow…]}; its Workflows
// may refer to its templates. The line that answers it has a text for each of them, empty where it is valid. A line that
// is no request is answered with {"error": "…"}.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v3/workflow/templateresolution"
	"github.com/argoproj/argo-workflows/v3/workflow/validate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kjson "sigs.k8s.io/json"
)

// What the controller passes. Its linter's options would let an argument without a value through.
var options = validate.ValidateOpts{}

type request struct {
	Templates []json.RawMessage `json:"templates"`
	Workflows []json.RawMessage `json:"workflows"`
}

type answer struct {
	Templates []string `json:"templates"`
	Workflows []string `json:"workflows"`
}

type refusal struct {
	Error string `json:"error"`
}

// templates are those of one request, by name.
type templates map[string]*wfv1.WorkflowTemplate

func (t templates) Get(name string) (*wfv1.WorkflowTemplate, error) {
	if template, ok := t[name]; ok {
		return template.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(wfv1.Resource("workflowtemplates"), name)
}

func main() {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr // standard output is for answers alone
	for {
		line, end := in.ReadBytes('\n')
		if len(line) > 0 {
			if err := out.Encode(reply(line)); err != nil {
				log.Fatal(err)
			}
		}
		if end == io.EOF {
			return
		}
		if end != nil {
			log.Fatal(end)
		}
	}
}

func reply(line []byte) any {
	var asked request
	unknown, err := kjson.UnmarshalStrict(line, &asked)
	if err := errors.Join(append(unknown, err)...); err != nil {
		return refusal{err.Error()}
	}
	there := templates{}
	for _, text := range asked.Templates {
		var template wfv1.WorkflowTemplate
		if kjson.UnmarshalCaseSensitivePreserveInts(text, &template) == nil {
			there[template.Name] = &template
		}
	}
	cluster := &templateresolution.NullClusterWorkflowTemplateGetter{}
	return answer{
		Templates: each(asked.Templates, func(template *wfv1.WorkflowTemplate) error {
			return validate.ValidateWorkflowTemplate(there, cluster, template, nil, options)
		}),
		Workflows: each(asked.Workflows, func(workflow *wfv1.Workflow) error {
			return validate.ValidateWorkflow(there, cluster, workflow, nil, options)
		}),
	}
}

// each decodes objects as the controller's client does, unknown fields left out, and says what is wrong with each.
func each[T any](objects []json.RawMessage, check func(*T) error) []string {
	told := make([]string, len(objects))
	for i, text := range objects {
		var object T
		err := kjson.UnmarshalCaseSensitivePreserveInts(text, &object)
		if err == nil {
			err = check(&object)
		}
		if err != nil {
			told[i] = err.Error()
		}
	}
	return told
}
