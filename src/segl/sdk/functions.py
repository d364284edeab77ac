"""A program's own functions that the SDK calls: whether calling one does its work."""

import inspect

from segl.core.errors import InvalidInput


def check_plain(function: object, name: str) -> None:
    """Raise InvalidInput for what is no function, or one that only gives what is to be awaited or iterated."""
    check_callable(function, name)
    for each in (function, getattr(function, "__call__", None)):  # noqa: B004 - an object's own, which may be async
        if inspect.iscoroutinefunction(each) or inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise InvalidInput(f"{name} is {function!r}; give a plain function. AsyncPortalClient awaits its handler.")


def check_callable(function: object, name: str) -> None:
    if not callable(function):
        raise InvalidInput(f"{name} is {function!r}; give a function.")


def check_done(result: object, name: str) -> None:
    """Raise InvalidInput when a function's result shows that nothing was done yet."""
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        if inspect.iscoroutine(result):
            result.close()  # which says that it was never awaited
        raise InvalidInput(f"{name} gave a {type(result).__name__}, so nothing was done; give a plain function.")
