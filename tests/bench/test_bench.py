"""The benchmark's own arithmetic, payloads and forms."""

from __future__ import annotations

import json

import pytest

from cli.engine import Delivery
from cli.stacks import compiled
from payloads import one_of_each
from tests.bench import forms
from tests.bench.cost import OURS, Cost, Sifted, deliveries, library_forms, live_forms, same
from tests.bench.figures import bent, growth_per_second, percentile, ratio
from tests.bench.growth import OPERATIONS, Run
from tests.bench.latency import REPEATS, Latency, sized
from tests.bench.many import many
from tests.bench.report import Found, page
from tests.bench.throughput import Offered, Throughput


def some() -> list[Delivery]:
    """The benchmark itself looks at all."""
    return deliveries()[::6]


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 50) == 7


def test_a_ratio_is_of_medians() -> None:
    assert ratio([2.0, 100.0, 4.0], [2.0, 1.0, 3.0]) == 2


def test_a_backlog_grows_by_its_slope_and_not_by_one_moment() -> None:
    assert growth_per_second([(0, 10), (1, 12), (2, 14)]) == pytest.approx(2)
    assert growth_per_second([(3, 10)]) == 0


def test_what_grows_linearly_is_not_bent() -> None:
    assert bent([7, 70, 700], [10, 73, 703]) == pytest.approx(1)
    assert bent([1, 2, 3], [1, 4, 9]) == pytest.approx(5 / 3)


@pytest.mark.parametrize("size", REPEATS)
@pytest.mark.parametrize("name", one_of_each())
def test_a_payload_is_made_of_about_a_size(name: str, size: int) -> None:
    made = len(json.dumps(sized(one_of_each()[name], size).body).encode())
    assert size * 0.85 < made < max(size * 1.1, 1_700)


def test_every_form_starts_the_same_workflows() -> None:
    stack = compiled("lab")
    chosen = live_forms(stack) | library_forms(stack)
    same(stack, {form: sensors for form, sensors in chosen.items() if form != "no filter at all"}, some())


def test_a_form_that_starts_something_else_is_found() -> None:
    stack = compiled("lab")
    with pytest.raises(AssertionError, match="unfiltered"):
        same(stack, {OURS: stack.all_sensors(), "unfiltered": forms.unfiltered(stack.all_sensors())}, some()[:20])


def test_more_sensors_have_names_of_their_own_and_the_rest_stays() -> None:
    once = compiled("lab")
    more = many(once, 3)
    names = [sensor["metadata"]["name"] for sensor in more.all_sensors()]
    assert len({*names}) == len(names) == 21
    assert names[:7] == [sensor["metadata"]["name"] for sensor in once.all_sensors()]
    assert len(more.objects()) == len(once.objects()) + 14


def test_the_page_has_a_row_for_each_figure() -> None:
    runs = [
        Run(
            who=who,
            sensors=sensors,
            operation=operation,
            case=case,
            wall=1,
            program=cost * sensors,
            engine=1,
            program_memory=2**20,
            engine_memory=2**20,
            changes={},
        )
        for who, cost in (("ours", 1.0), ("bare", 2.0))
        for sensors in (7, 70, 700)
        for operation, case in OPERATIONS
    ]
    stack = compiled("lab")
    parts = {"EventSource": [1.0], "NATS": [1.0], "Sensors": [4.0]}
    memory = dict.fromkeys(parts, 2**20)
    throughput = Throughput(90, 3, {"NATS": 0.4}, 17.5, {"a": 2.5}, [Offered(10, [(5, 1), (6, 2)])], {"a": (0.5, 0.5)})
    text = page(
        Found(
            load=[1.0, 2.0],
            compiling=[20.0],
            filters=[Sifted(form, [100.0]) for form in library_forms(stack)],
            latency=[Latency("a", size, [0.2], [0.1]) for size in (1_000, 30_000)],
            cost=[Cost(form, parts, memory) for form in live_forms(stack)],
            throughput=throughput,
            growth=runs,
        ),
        minutes=14,
    )
    assert "| 1,000 | 200 / 200 / 200 | 100 / 100 / 100 | 2.0 / 2.0 / 2.0 |" in text
    assert "| expressions | 1.00 | 1.00 | 4.00 | 6.00 | 1.00x | 1 / 1 / 1 |" in text
    assert "| 700 | up, one change | 701.0 | 0.50x | 0.50x | 1.00x | 1 | 1.00x |" in text
    assert "| a | 2.0 / 2.0 / 2.0 | 2.0 / 2.0 / 2.0 |\n" in text
    assert "\n\n|" not in text.partition("As ratios")[2].partition("At 1 MB")[0].partition("| Sensor |")[2]
