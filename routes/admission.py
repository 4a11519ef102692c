"""What the API server refuses, whatever rights a token has: ValidatingAdmissionPolicies.

A leaked token of the Sensors can start Workflows of the stack's routes, write dead letters and do nothing else, and the
webhook's Secret is never too short to be one. The clauses come from the compiled Workflows: what a route does not write
is refused. Each clause is one validation, so that a test can take it out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from routes import dead_letters
from routes import manifests as m
from routes.contract import NAME_ENDING
from routes.manifests import Manifest

SECRET_LENGTH = 16
"""The fewest bytes of a webhook secret."""

COMPONENT = "app.kubernetes.io/component"
"""The label that tells a stack's policies apart."""

PARAMETER_VALUE = re.compile(r"spec\.arguments\.parameters\.(\d+)\.value")

# What the API server itself adds to the metadata of a new object before it asks the policies.
ADDED = ("creationTimestamp", "generation", "managedFields", "namespace", "selfLink", "uid")


@dataclass(frozen=True, kw_only=True)
class Started:
    """A route's Workflow before a delivery fills it in, and for each kind of delivery what it writes where.

    `filled` has the destinations of the Sensor's parameters; None is any text. `choices` has all values of a field of
    its spec that a delivery chooses from.
    """

    workflow: Manifest
    filled: Sequence[Mapping[str, str | None]]
    choices: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The policies of the stack in `namespace`, whose Sensors run as the service account `submitter`.

    `prefix` begins the name of each policy, and the labels and annotations that are the stack's own.
    """

    namespace: str
    submitter: str
    prefix: str

    def policies(self, routes: Iterable[Started], secret: m.KeyRef) -> Iterator[Manifest]:
        """Each policy and its binding. Raises ValueError for a Workflow that is filled in where no clause looks."""
        yield from self._of_sensors(
            "sensor-writes",
            m.ResourceRule(api_groups=["*"], api_versions=["*"], resources=["*/*"], operations=["*"]),
            [],
            self._writes(),
        )
        yield from self._of_sensors("sensor-starts", _workflows("CREATE"), *self._starts(list(routes)))
        yield from self._of_sensors("sensor-changes", _workflows("UPDATE"), [], _changes())
        letters = m.ResourceRule(api_groups=[""], api_versions=["*"], resources=["configmaps"], operations=["CREATE"])
        yield from self._of_sensors("sensor-letters", letters, [], _letters())
        yield from self._policy(
            "webhook-secret",
            m.MatchConstraints(
                namespace_selector=m.LabelSelector(match_labels={"kubernetes.io/metadata.name": self.namespace}),
                resource_rules=[
                    m.ResourceRule(
                        api_groups=[""], api_versions=["v1"], resources=["secrets"], operations=["CREATE", "UPDATE"]
                    )
                ],
            ),
            m.MatchCondition(name="the-webhooks-secret", expression=f"object.metadata.name == {_cel(secret.name)}"),
            *_webhook_secret(secret),
        )

    def _of_sensors(
        self, name: str, rule: m.ResourceRule, variables: list[m.Variable], validations: Iterable[m.Validation]
    ) -> Iterator[Manifest]:
        account = f"system:serviceaccount:{self.namespace}:{self.submitter}"
        return self._policy(
            name,
            m.MatchConstraints(resource_rules=[rule]),
            m.MatchCondition(name="by-a-sensor", expression=f"request.userInfo.username == {_cel(account)}"),
            variables,
            validations,
        )

    def _policy(
        self,
        name: str,
        constraints: m.MatchConstraints,
        condition: m.MatchCondition,
        variables: list[m.Variable],
        validations: Iterable[m.Validation],
    ) -> Iterator[Manifest]:
        # Cluster-wide, hence named after the namespace.
        metadata = m.Metadata(
            name=f"{self.prefix}-{self.namespace}-{name}",
            labels={"app.kubernetes.io/part-of": self.prefix, COMPONENT: name},
        )
        yield m.AdmissionPolicy(
            metadata=metadata,
            spec=m.AdmissionPolicySpec(
                match_constraints=constraints,
                match_conditions=[condition],
                variables=variables or None,
                validations=list(validations),
            ),
        ).manifest()
        yield m.AdmissionPolicyBinding(
            metadata=metadata, spec=m.AdmissionPolicyBindingSpec(policy_name=metadata.name)
        ).manifest()

    def _writes(self) -> Iterator[m.Validation]:
        """Also where RBAC would let it: someone binds more rights to a service account than its Sensors need."""
        workflow = "request.resource.group == 'argoproj.io' && request.resource.resource == 'workflows'"
        letter = "request.resource.group == '' && request.resource.resource == 'configmaps'"
        for expression, may in (
            (f"{workflow} || {letter}", "only Workflows, and dead letters"),
            (f"request.namespace == {_cel(self.namespace)}", f"only in the namespace {self.namespace}"),
            (
                f"request.operation == 'CREATE' || {workflow} && request.operation == 'UPDATE'",
                "only by create, and Workflows by update",
            ),
        ):
            yield m.Validation(expression=expression, message=f"a Sensor writes {may}")

    def _starts(self, routes: Sequence[Started]) -> tuple[list[m.Variable], list[m.Validation]]:
        label = f"{self.prefix}/route"
        names = [route.workflow["metadata"]["labels"][label] for route in routes]

        def by_route(of: Callable[[Started], Any]) -> str:
            """A table's row for the route that the Workflow's label names: none where there is no such route."""
            return f"{_cel(dict(zip(names, map(of, routes), strict=True)))}[?variables.route]"

        def same_or_by_route(of: Callable[[Started], Any]) -> str:
            first, *others = map(of, routes)
            return by_route(of) if any(other != first for other in others) else f"optional.of({_cel(first)})"

        def choices_by_route(field: str) -> str:
            # In one list CEL wants values of one type.
            rows = (
                f"{_cel(name)}: [{', '.join(f'dyn({_cel(choice)})' for choice in _choices(route, field))}]"
                for name, route in zip(names, routes, strict=True)
            )
            return f"{{{', '.join(rows)}}}[?variables.route]"

        def clause(expression: str, message: str) -> m.Validation:
            return m.Validation(expression=expression, message=f"a Sensor starts only what its routes start: {message}")

        parameters = "object.spec.?arguments.?parameters.orValue([])"
        unlike = "not what its route, said by the label, makes of a delivery"
        variables = [
            m.Variable(name="route", expression=f"object.metadata.?labels[?{_cel(label)}].orValue('')"),
            m.Variable(name="labels", expression="object.metadata.?labels.orValue({})"),
            m.Variable(name="annotations", expression="object.metadata.?annotations.orValue({})"),
            m.Variable(name="parameters", expression=parameters),
            *(
                m.Variable(name=f"known{group}", expression=f"{by_route(known)}.orValue({{}})")
                for group, known in (("Labels", _known_labels), ("Parameters", _known_parameters))
            ),
        ]
        keys = sorted({*_all_keys(routes, "metadata"), *ADDED})
        validations = [
            clause(_only("object", _all_keys(routes)), "more than metadata and spec is set"),
            clause(_only("object.metadata", keys), "its metadata has a field that no route sets"),
            clause(
                f"object.metadata.name.matches({by_route(_name_pattern)}.orValue('^$'))",
                f"its name is {unlike}",
            ),
            clause(_only("variables.labels", _all_keys(routes, "metadata", "labels")), "it has a label of no route"),
            clause(
                "variables.knownLabels.all(k, variables.labels[?k].orValue('') in variables.knownLabels[k])",
                f"a label is {unlike}",
            ),
            clause(
                _only("variables.annotations", _all_keys(routes, "metadata", "annotations")),
                "it has an annotation of no route",
            ),
            clause(
                "variables.annotations.all(k, !variables.annotations[k].contains('{{'))",
                "an annotation holds {{, which Argo Workflows would evaluate",
            ),
            clause(_only("object.spec", _all_keys(routes, "spec")), "its spec has a field that no route sets"),
            *(
                clause(
                    f"object.spec.?{field}.orValue({{}}) in {choices_by_route(field)}.orValue([])"
                    if any(field in route.choices for route in routes)
                    else f"object.spec.?{field} == {same_or_by_route(_spec(field))}",
                    f"its spec.{field} is not its route's",
                )
                for field in _all_keys(routes, "spec")
                if field != "arguments"
            ),
            clause(
                _only("object.spec.?arguments.orValue({})", _all_keys(routes, "spec", "arguments")),
                "it has arguments that no route sets",
            ),
            clause(
                f"variables.parameters.map(p, p.name) == {by_route(_parameter_names)}.orValue([])",
                "its parameters are not its WorkflowTemplate's",
            ),
            clause(
                f"variables.parameters.all(p, {_only('p', ('name', 'value'))})",
                "a parameter has more than a name and a value",
            ),
            clause(
                "variables.parameters.all(p, !(p.name in variables.knownParameters)"
                " || p.value in variables.knownParameters[p.name])",
                f"a parameter is {unlike}",
            ),
            clause(
                "variables.parameters.all(p, !p.value.contains('{{'))",
                "a parameter holds {{, which Argo Workflows would evaluate",
            ),
        ]
        for route in routes:
            _all_looked_at(route)
        return variables, validations


def _changes() -> Iterator[m.Validation]:
    """A Sensor's `operation: update` is get, then create, or an update that changes nothing."""
    for path in (
        "?spec",
        "?status",
        "metadata.?labels",
        "metadata.?annotations",
        "metadata.?finalizers",
        "metadata.?ownerReferences",
    ):
        what = path.replace("?", "")
        yield m.Validation(
            expression=f"object.{path} == oldObject.{path}",
            message=f"a Sensor starts Workflows and changes none: this update would change its {what}",
        )


def _letters() -> Iterator[m.Validation]:
    """A ConfigMap can steer Argo Workflows: its semaphores, its artifact repositories, its parameters."""
    named = f"^{dead_letters.NAME}[a-z0-9]+$"
    for expression, message in (
        (_only("object", ("apiVersion", "kind", "metadata", "data")), "more than metadata and data is set"),
        (
            _only("object.metadata", sorted({*ADDED, "name", "generateName", "labels"})),
            "its metadata has a field that no dead letter has",
        ),
        (f"object.metadata.name.matches({_cel(named)})", f"its name is not {dead_letters.NAME}…"),
        (
            _only("object.metadata.?labels.orValue({})", (dead_letters.LABEL, *dead_letters.OF_THE_ENGINE)),
            "it has a label of no dead letter",
        ),
        (_only("object.?data.orValue({})", dead_letters.FIELDS), "it tells what no dead letter tells"),
        ("object.?data.orValue({}).all(k, size(object.data[k]) <= 500)", "it tells more than 500 characters of one"),
    ):
        yield m.Validation(expression=expression, message=f"a Sensor writes no ConfigMap but dead letters: {message}")


def _webhook_secret(secret: m.KeyRef) -> tuple[list[m.Variable], list[m.Validation]]:
    """The engine checks no signature when the text is empty. A Secret's data is base64, which CEL does not decode."""
    padding = "variables.text.endsWith('==') ? 2 : variables.text.endsWith('=') ? 1 : 0"
    return [m.Variable(name="text", expression=f"object.?data[?{_cel(secret.key)}].orValue('')")], [
        m.Validation(
            expression=f"size(variables.text) / 4 * 3 - ({padding}) >= {SECRET_LENGTH}",
            message=f"the key {secret.key} of the Secret {secret.name} must hold at least {SECRET_LENGTH} characters,"
            " since Argo Events lets every delivery in when it is empty; write a random text into it, for example of:"
            " openssl rand -hex 32",
        )
    ]


def _workflows(operation: str) -> m.ResourceRule:
    return m.ResourceRule(
        api_groups=["argoproj.io"], api_versions=["*"], resources=["workflows", "workflows/*"], operations=[operation]
    )


def _cel(value: Any) -> str:
    """A plain value as CEL has it: as JSON."""
    return json.dumps(value)


def _only(what: str, keys: Iterable[str]) -> str:
    return f"{what}.all(k, k in {_cel(list(keys))})"


def _all_keys(routes: Iterable[Started], *path: str) -> list[str]:
    """The keys that any route's Workflow has at a path."""
    found: set[str] = set()
    for route in routes:
        node = route.workflow
        for key in path:
            node = node[key]
        found |= set(node)
    return sorted(found)


def _name_pattern(route: Started) -> str:
    return f"^{route.workflow['metadata']['name']}-{NAME_ENDING}$"


def _spec(field: str) -> Callable[[Started], Any]:
    return lambda route: route.workflow["spec"][field]


def _choices(route: Started, field: str) -> Sequence[Any]:
    return route.choices.get(field, [_spec(field)(route)])


def _parameter_names(route: Started) -> list[str]:
    return [parameter["name"] for parameter in route.workflow["spec"]["arguments"]["parameters"]]


def _known_labels(route: Started) -> dict[str, list[str]]:
    labels: dict[str, str] = route.workflow["metadata"]["labels"]
    return _known({f"metadata.labels.{name}": (name, value) for name, value in labels.items()}, route)


def _known_parameters(route: Started) -> dict[str, list[str]]:
    parameters = route.workflow["spec"]["arguments"]["parameters"]
    return _known(
        {f"spec.arguments.parameters.{index}.value": (p["name"], p["value"]) for index, p in enumerate(parameters)},
        route,
    )


def _known(places: Mapping[str, tuple[str, str]], route: Started) -> dict[str, list[str]]:
    """By name the values that `places` can have, each with its value before a delivery; not those with any text."""
    found = {name: {filled.get(place, value) for filled in route.filled} for place, (name, value) in places.items()}
    return {name: sorted(t for t in texts if t is not None) for name, texts in found.items() if None not in texts}


def _all_looked_at(route: Started) -> None:
    known = ("metadata.labels.", "metadata.annotations.", *(f"spec.{field}." for field in route.choices))
    for place in (place for filled in route.filled for place in filled):
        if not place.startswith(known) and (place != "metadata.name" and not PARAMETER_VALUE.fullmatch(place)):
            raise ValueError(f"deliveries fill in {place}; let a clause of the policy sensor-starts say with what")
