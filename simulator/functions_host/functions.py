"""A function app as the Functions worker sees it: functions, triggers, schedules and the arguments of each.

No sockets here (`host.py` has them). The converters of `azure.functions` decode a trigger's payload, so that the
app receives what Azure would pass.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import re
import secrets
import sys
import traceback
import typing
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import azure.functions as func
from azure.functions.decorators.function_app import Function as BuiltFunction
from azure.functions.decorators.function_app import FunctionRegister
from azure.functions.meta import Datum
from croniter import CroniterError, croniter

_NCRONTAB_FIELD = re.compile(r"(?:\*|\d+|[A-Za-z]{3,})(?:[-,/](?:\*|\d+|[A-Za-z]{3,}))*")


_registry: Callable[[], Any] = func.get_binding_registry


class StartError(Exception):
    """The app cannot be started; the message says which function, setting or file, and why."""


@dataclass(frozen=True, slots=True)
class Function:
    """One indexed function: its code, its trigger with the parameter's annotation, and whether a result is expected."""

    name: str
    code: Callable[..., Any]
    trigger: Mapping[str, Any]
    annotation: Any
    returns: bool

    @property
    def kind(self) -> str:
        """The binding type of the trigger: `httpTrigger`, `timerTrigger` or `eventGridTrigger`."""
        return str(self.trigger["type"])

    async def run(self, payload: object) -> object:
        """Invoke on the loop, or in a thread if the code is a plain `def`. Raises whatever the code raises."""
        arguments = {str(self.trigger["name"]): payload}
        parameters = inspect.signature(self.code).parameters
        if "context" in parameters and "context" not in arguments:
            arguments["context"] = self._context()
        if inspect.iscoroutinefunction(self.code):
            result = await self.code(**arguments)
        else:
            result = await asyncio.to_thread(self.code, **arguments)
        if result is not None and not self.returns:
            raise TypeError(f"function {self.name} without a $return binding returned a non-None value")
        return result

    def _context(self) -> SimpleNamespace:
        """The supported part of `azure.functions.Context`: a name, an id, and a trace that begins with it."""
        trace = SimpleNamespace(
            trace_parent=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00", trace_state="", attributes={}
        )
        return SimpleNamespace(function_name=self.name, invocation_id=str(uuid.uuid4()), trace_context=trace)

    async def run_on(self, text: str) -> object:
        """Invoke with the JSON text of a trigger's payload."""
        return await self.run(self.decode(text))

    def decode(self, text: str) -> object:
        """Turn a trigger's JSON text into what Azure would pass for the parameter's annotation."""
        if self.annotation is str:
            return text
        if self.annotation is bytes:
            return text.encode()
        return converter(self.kind).decode(Datum(text, "json"), trigger_metadata={})


def converter(kind: str) -> type[Any]:
    """The class of `azure.functions` that decodes or encodes a binding type."""
    found: type[Any] = _registry().get(kind)
    return found


_indexed: WeakKeyDictionary[FunctionRegister, list[Function]] = WeakKeyDictionary()


def index(app: FunctionRegister) -> list[Function]:
    """Every function of an app. Calls `get_functions()` only once: a second call on one app raises."""
    if app not in _indexed:
        _indexed[app] = [_function(built) for built in app.get_functions()]
    return _indexed[app]


def _function(built: BuiltFunction) -> Function:
    name, code, trigger = str(built.get_function_name()), built.get_user_function(), _trigger(built)
    return Function(
        name=name,
        code=code,
        trigger=trigger,
        annotation=typing.get_type_hints(code).get(str(trigger["name"])),
        returns=any(binding.name == "$return" for binding in built.get_bindings()),
    )


def _trigger(built: BuiltFunction) -> Mapping[str, Any]:
    trigger = built.get_trigger()
    known = {"httpTrigger", "timerTrigger", "eventGridTrigger"}
    if trigger is None or trigger.type not in known:
        raise StartError(
            f"function {built.get_function_name()}: its trigger is {trigger and trigger.type}, known here: {known}"
        )
    return trigger.get_dict_repr()


def load(folder: Path) -> FunctionRegister:
    """Import `function_app.py` of a folder as the worker does and return its only app. Raises StartError."""
    if not (folder / "function_app.py").is_file():
        raise StartError(f"no function_app.py in {folder}")
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    try:
        module = importlib.import_module("function_app")
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise StartError(
            f"cannot import {folder / 'function_app.py'}: {type(error).__name__}: {error} ({at.filename}:{at.lineno})"
        ) from error
    return _only_app(module)


def _only_app(module: ModuleType) -> FunctionRegister:
    apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if len(apps) != 1:
        raise StartError(f"{module.__file__} must define exactly one function app at top level, found {len(apps)}")
    return apps[0]


def resolve(function: Function, settings: Mapping[str, str]) -> str:
    """The NCRONTAB schedule of a timer with `%SETTING%` resolved. Raises StartError naming function and setting."""
    schedule, timer = str(function.trigger["schedule"]), f"timer {function.name}"
    if re.fullmatch("%[^%]+%", schedule):
        setting = schedule.strip("%")
        if not settings.get(setting):
            raise StartError(f"timer {function.name}: its schedule is {schedule}, but setting {setting} is missing")
        schedule, timer = settings[setting], f"{timer}: setting {setting}"
    fields = schedule.split()
    try:
        if len(fields) != 6 or not all(map(_NCRONTAB_FIELD.fullmatch, fields)):
            raise StartError(
                f"{timer}: '{schedule}' is not a schedule of six fields "
                "{second} {minute} {hour} {day} {month} {day of week}"
            )
        next_run(schedule, datetime(2000, 1, 1, tzinfo=UTC))
    except CroniterError as error:
        raise StartError(f"{timer}: '{schedule}' is not a schedule: {error}") from error
    return schedule


def next_run(schedule: str, now: datetime, last: datetime | None = None) -> datetime:
    """When an NCRONTAB schedule fires next. Day and day of week must both match, unlike in Unix cron.

    `last`: the last occurrence that has run. A sleep may end slightly early by the wall clock, and the same occurrence
    must not run twice.
    """
    after = max(now, last or now)
    return croniter(schedule, after, ret_type=datetime, day_or=False, second_at_beginning=True).get_next()
