"""The pages that `make docs` writes are as it writes them, and those written by hand have all that they must."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from cli.settings import markdown as settings_page
from cli.show import in_page
from cli.show import markdown as routes_page
from cli.stacks import ROOT, compiled, read_settings
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.contract import TEMPLATES
from routes.external_templates import problems
from routes.manifests import Manifest
from routes.model import Template
from routes.settings import SecurityEvent
from tests.docs.console import PAGES
from tests.engine.workflows import Validation

DEV = read_settings("dev")


def test_the_page_of_the_routes_is_as_make_docs_writes_it() -> None:
    assert (ROOT / "docs/routes.md").read_text() == routes_page("dev", DEV)


def test_the_page_of_the_settings_is_as_make_docs_writes_it() -> None:
    assert (ROOT / "docs/settings.md").read_text() == settings_page()


def test_the_tables_of_the_readme_are_as_make_docs_writes_them() -> None:
    page = (ROOT / "README.md").read_text()
    assert page == in_page(page, DEV)
    without = re.sub(r"(<!-- make docs: \w+ -->\n).*?(<!-- end -->)", r"\1\2", page, flags=re.DOTALL)
    assert in_page(without, DEV) == page != without


def test_the_page_of_github_has_each_event_that_a_route_is_about() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/github.md").read_text(), re.MULTILINE))
    everything = read_settings("dev").model_copy(update={"security_events": get_args(SecurityEvent)})
    assert told == set(compile_stack(FAMILIES, everything).event_source["spec"]["github"]["main"]["events"])


def test_the_template_that_is_shown_is_one_that_the_routes_can_start() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/workflow-templates.md").read_text(), re.DOTALL)
    template = yaml.safe_load(text)
    assert problems([template], {template["metadata"]["name"]: TEMPLATES[Template.PR_VALIDATION]}) == []
    workflow = _workflow(compiled("dev").objects())
    with Validation() as validation:
        verdict = validation.check([template], [workflow])
    assert (verdict.templates, verdict.workflows) == ([""], [""])


def _workflow(objects: list[Manifest]) -> Manifest:
    """What the Sensor of pull requests makes, before a delivery fills it in."""
    (sensor,) = (o for o in objects if o["metadata"]["name"] == "github-pr-to-pr-validation")
    workflow: Manifest = sensor["spec"]["triggers"][0]["template"]["k8s"]["source"]["resource"]
    return workflow


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, anchor = link.partition("#")
        if place.startswith("https://"):
            continue
        file = (page.parent / place).resolve() if place else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            lost.append(link)
    assert lost == []


def _anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#\s]+)", (ROOT / "README.md").read_text()))
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
    assert sorted(pages - linked) == []
