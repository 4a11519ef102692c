"""An API server that a test has in its hand, and its answers."""

from __future__ import annotations

import itertools
import json
from typing import Any


class Answer:
    """As the client's HTTP layer has it."""

    def __init__(self, status: int, body: object = None, date: str = "now") -> None:
        self.status, self.reason, self._body, self._date = status, "as it says", body, date

    def getheaders(self) -> dict[str, str]:
        return {"Date": self._date}

    def read(self) -> bytes:
        return json.dumps(self._body).encode()


class ApiServer:
    """In place of an ApiClient: gives these answers in turn, and again. `asked` is what it was asked."""

    def __init__(self, *bodies: object, status: int = 200, date: str = "now") -> None:
        self._answers = itertools.cycle([Answer(status, body, date) for body in bodies or ({},)])
        self.asked: list[tuple[Any, ...]] = []

    def param_serialize(self, *asked: object, **more: object) -> tuple[object, ...]:
        return (*asked, more)

    def call_api(self, *asked: object, _request_timeout: int) -> Answer:
        self.asked.append((*asked, _request_timeout))
        return next(self._answers)
