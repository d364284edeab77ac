"""Checks of the program's functions that the SDK calls: that calling one does its work."""

import inspect

from segl.core.errors import InvalidInput


def check_plain(function: object, name: str) -> None:
    """Raise InvalidInput unless it is a function whose result need not be awaited or iterated."""
    check_callable(function, name)
    for each in (function, getattr(function, "__call__", None)):  # noqa: B004 - an object's own, which may be async
        if inspect.iscoroutinefunction(each) or inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise InvalidInput(f"{name} is {function!r}; give a plain function. AsyncPortalClient awaits its handler.")


def check_callable(function: object, name: str) -> None:
    if not callable(function):
        raise InvalidInput(f"{name} is {function!r}; give a function.")


def check_done(result: object, name: str) -> None:
    """Raise InvalidInput if a function's result shows that nothing was done yet."""
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        if inspect.iscoroutine(result):
            result.close()  # otherwise Python warns that it was never awaited
        raise InvalidInput(f"{name} returned a {type(result).__name__}, so nothing was done; give a plain function.")
