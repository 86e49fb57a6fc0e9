"""Watching the state of plain Python classes, so that steps need not be open for want of labels.

`pyvirt_sim.engine.footprint` says why a step that shares anything but Trio's objects and labelled
ones conflicts with every other. A program whose tasks share *attributes of objects* need not label
them by hand: `StateWatch` watches every class of the packages it is given, and each read and each
assignment of an attribute becomes a touch of that attribute of that object.

What an attribute holds may change without being assigned. So:

* a built-in container (list, dict, set, deque, bytearray, nested ones too) is compared, at the end
  of every step, with what was in it before: the step has written it when it differs;
* an object of a watched class, of Trio, or of a class whose instances cannot change is a value;
  what is inside says so itself;
* anything else (an iterator, a file, an object of a class nobody watches) is taken to be changed.

An assignment of the very object that is there already changes nothing, and counts as a read.

Three things are not seen: variables that functions share (closures, globals), containers inside
frozen classes, and a container that a task keeps in a local variable over a checkpoint and looks at
again later (of a large one: or changes later). `swaps` tells whether a program has any that matter:
it swaps steps that are said to be independent, and looks whether anything changes.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import enum
import functools
import importlib
import operator
import pkgutil
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import trio

from pyvirt_sim.engine.footprint import READ, WRITE
from pyvirt_sim.engine.footprint import _active as active

__all__ = ["StateWatch"]

_VALUES: Final = (
    *(int, float, complex, str, bytes, range, slice, type(None), type(NotImplemented), enum.Enum),
    *(type, BaseException, types.ModuleType, types.FunctionType, types.BuiltinFunctionType),
    *(types.MethodType, types.MethodWrapperType, functools.partial, property, frozenset),
)
_CONTAINERS: Final = (list, dict, set, deque, bytearray, tuple, types.MappingProxyType)
_COPIED: Final = (list, dict, set, deque, bytearray)
_MUTABLE: Final = (*_COPIED, types.MappingProxyType)
# Tuples, and what is in them, are looked at like the rest.
_EXACT: Final = frozenset((int, float, str, bytes, bool, type(None), frozenset, types.MethodType))
# Those that hold more are only compared after steps that got at them through their attribute.
_LARGE: Final = 500
_TOO_MANY: Final = 1000
_DUNDER: Final = "__"
_UNKNOWN: Final = object()


class StateWatch(trio.abc.Instrument):
    """Watches the classes of some packages, for the length of a ``with`` block around a search.

    Attributes:
        begun_at: Number of the step in which the last run that gathered footprints called `begin`.

    Only what happens from `begin` on, in a run that gathers footprints, is touched; meanwhile each
    look at an attribute is a call.

    Args:
        packages: Names of the packages whose classes are watched, with all modules below.
    """

    def __init__(self, *packages: str) -> None:
        self.begun_at = 0
        self._packages = packages
        self._modules: set[str] = set()
        self._constructors: list[_Patch] = []
        self._accesses: list[_Patch] = []
        self._known: dict[type, bool] = {}
        self._names: dict[type, frozenset[str]] = {}
        self._is_on = False
        self._last_era: int | None = None  # after which nothing is watched any more
        # Every container that was looked at, by label and identity.
        self._seen: dict[tuple[str, int], _Seen] = {}
        # What the running step has read already.
        self._read: set[tuple[int, str]] = set()

    def __enter__(self) -> StateWatch:
        # Late: it needs the runner, which knows the module that knows this one's neighbours.
        from pyvirt_sim.engine import footprint_trio

        self._modules = set(_modules(self._packages)) - footprint_trio.watched_modules
        footprint_trio.watched_modules.update(self._modules)
        classes = list(_classes(sorted(self._modules)))
        self._known = dict.fromkeys(classes, True)
        self._constructors = list(self._wrapped(classes, __init__=self._naming))
        self._accesses = list(
            self._wrapped(
                classes,
                __getattribute__=self._reading,
                __setattr__=self._writing,
                __delattr__=self._writing,
            )
        )
        _patch(self._constructors)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        _unpatch(self._constructors)
        from pyvirt_sim.engine import footprint_trio

        footprint_trio.watched_modules.difference_update(self._modules)

    def begin(self) -> None:
        """From here on, this run's steps say what they do to the objects of the classes.

        To be called by the program. Notes of different tasks count as commuting from here on: what
        judges the run must not read their order.
        """
        self._stop()
        if not active:
            return
        self.begun_at = len(active[0].order)
        active[0].orders_notes = False
        self._is_on = True
        _patch(self._accesses)
        trio.lowlevel.add_instrument(self)

    def end_with_era(self) -> None:
        """Watch until nothing can run; what comes after that cannot come before anything now.

        To be called by a program from where on nobody is asked any more. What can run then may
        still race with what has run, in schedules to come.
        """
        if active:
            self._last_era = active[0].era

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio's instrument: stop when a new era has begun."""
        del task
        if self._last_era is not None and active and active[0].era > self._last_era:
            self._stop()
            trio.lowlevel.remove_instrument(self)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio's instrument: find out which containers the step has changed."""
        del task
        read = set(self._read)
        self._read.clear()
        if not active:
            return
        for key, one in list(self._seen.items()):
            if one.is_large and one.owner not in read:
                continue
            if one.has_changed(self):
                active[0].touch_last(one.label, WRITE)
            if one.is_dead:
                del self._seen[key]

    def after_run(self) -> None:
        """Trio's instrument: the run is over."""
        self._stop()

    def _stop(self) -> None:
        """Nothing is watched, and no class is slower for it."""
        if self._is_on:
            _unpatch(self._accesses)
        self._is_on = False
        self._last_era = None
        self._seen.clear()
        self._read.clear()

    # -- patching ------------------------------------------------------------------------------

    def _wrapped(
        self, classes: Sequence[type], **wrappers: Callable[[Any], Callable[..., Any]]
    ) -> Iterator[_Patch]:
        """How to wrap the methods with these names, where no base class is wrapped already."""
        watched = set(classes)
        for owner in classes:
            has_watched_base = any(base in watched for base in owner.__mro__[1:])
            for name, wrap in wrappers.items():
                if name in owner.__dict__ or not has_watched_base:
                    original = owner.__dict__.get(name, _UNKNOWN)
                    yield _Patch(owner, name, original, wrap(getattr(owner, name)))

    def _naming(self, original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def construct(this: Any, *args: Any, **kwargs: Any) -> None:
            if active and id(this) not in active[0].labels:
                active[0].label(this, type(this).__qualname__)
            original(this, *args, **kwargs)

        return construct

    def _reading(self, original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
        @functools.wraps(original)
        def read(this: object, name: str) -> Any:
            value = original(this, name)
            if (id(this), name) not in self._read:
                names = self._names.get(type(this))
                if names is None:
                    names = self._names[type(this)] = _names_of(type(this))
                if name not in names:
                    self._read.add((id(this), name))
                    self._touch(this, name, value)
            return value

        return read

    def _writing(self, original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def write(this: Any, name: str, *value: Any) -> None:
            self._read.discard((id(this), name))
            old = _raw(this, name)
            is_same = bool(value) and old is value[0]
            self._touch_label(this, name, READ if is_same else WRITE)
            original(this, name, *value)

        return write

    # -- touching ------------------------------------------------------------------------------

    def _touch(self, this: object, name: str, value: object) -> None:
        if self.is_value(type(value)) or is_constant(value, self.is_value):
            self._touch_label(this, name, READ)
        elif _is_container(type(value)):
            label = self._touch_label(this, name, READ)
            if label is not None and (label, id(value)) not in self._seen:
                self._seen[label, id(value)] = _Seen(label, (id(this), name), value, self)
        else:
            self._touch_label(this, name, WRITE)

    def _touch_label(self, this: object, name: str, mode: int) -> str | None:
        collector = active[0]
        label = collector.labels.get(id(this))
        if label is None:
            collector.open_step()
            return None
        label = f"{label}.{name}"
        collector.touch(label, mode)
        return label

    def is_value(self, kind: type[Any]) -> bool:
        """Whether an object of this class is a value, or tells itself what is done to it."""
        known = self._known.get(kind)
        if known is None:
            known = (
                issubclass(kind, _VALUES)
                or kind.__module__.partition(".")[0] in ("trio", "uuid", "pathlib", "re", "outcome")
                or _is_frozen(kind)
            ) and not issubclass(kind, _CONTAINERS)
            self._known[kind] = known
        return known


class _Patch(NamedTuple):
    """A method of a class, as it is by itself (if it has its own), and as it is when watched."""

    owner: type
    name: str
    original: Any
    wrapper: Callable[..., Any]


def _patch(patches: Sequence[_Patch]) -> None:
    for one in patches:
        setattr(one.owner, one.name, one.wrapper)


def _unpatch(patches: Sequence[_Patch]) -> None:
    for one in reversed(patches):
        if one.original is _UNKNOWN:
            delattr(one.owner, one.name)
        else:
            setattr(one.owner, one.name, one.original)


class _Seen:
    """A container, and what was in it at the end of the last step.

    Comparing it object by object costs much, and mostly nothing has changed. Where equality is
    exact, because everything in it is equal only to itself or has no parts, a copy and one
    comparison of Python's own do.
    """

    __slots__ = ("_container", "_contents", "_copy", "_is_dict", "is_large", "label", "owner")

    def __init__(
        self, label: str, owner: tuple[int, str], container: Any, watch: StateWatch
    ) -> None:
        self.label = label
        self.owner = owner
        self.is_large = len(container) > _LARGE
        self._is_dict = isinstance(container, dict)
        self._container = container
        self._contents: list[Any] | None = None
        self._copy: Any = None
        self._remember(watch)

    def _remember(self, watch: StateWatch) -> None:
        container: Any = self._container
        if type(container) in _COPIED and all(map(_is_exact, _kinds_in(container))):
            self._copy, self._contents = container.copy(), None
        else:
            self._copy = None
            self._contents = contents_of(container, watch.is_value)

    @property
    def is_dead(self) -> bool:
        """Whether nobody else has the container, which can therefore never change again."""
        # This object's own reference, the argument's, and the one among the contents.
        return sys.getrefcount(self._container) == 2 + (self._contents is not None)

    def has_changed(self, watch: StateWatch) -> bool:
        """Whether something else is in it than before; what is in it now is remembered."""
        container, copy = self._container, self._copy
        if copy is not None:
            # A dict that is equal may be in another order.
            is_same_order = not self._is_dict or all(map(operator.is_, copy, container))
            is_same = copy == container and is_same_order
        else:
            before, now = self._contents, contents_of(container, watch.is_value)
            is_same = (
                before is not None
                and now is not None
                and len(before) == len(now)
                and all(map(operator.is_, before, now))
            )
        if not is_same:
            self._remember(watch)
        return not is_same


def _kinds_in(container: Any) -> set[type[Any]]:
    """The classes of what is in a container itself."""
    kind: type[Any] = container.__class__
    if issubclass(kind, bytearray):
        return {int}
    found = set(map(type, container))
    return found.union(map(type, container.values())) if issubclass(kind, dict) else found


def _is_exact(kind: type[Any]) -> bool:
    """Whether objects of this class are equal only to themselves, or to what is no different."""
    equals: Any = kind.__eq__
    return kind in _EXACT or equals is object.__eq__ or _is_frozen(kind)


def is_constant(thing: Any, is_value: Callable[[type[Any]], bool]) -> bool:
    """Whether a container can never change: tuples of values, and of tuples."""
    kind: type[Any] = thing.__class__
    return kind is tuple and all(
        is_value(item.__class__) or is_constant(item, is_value) for item in thing
    )


def contents_of(thing: Any, is_value: Callable[[type[Any]], bool]) -> list[Any] | None:
    """What is in a container, and in those inside it; None if something may change unseen.

    Args:
        thing: The container.
        is_value: Whether an object of a class is a value, or says itself what is done to it.
    """
    found: list[Any] = []
    todo: list[Any] = [thing]
    for container in todo:  # which grows
        if isinstance(container, dict | types.MappingProxyType):
            mapping = cast("Mapping[Any, Any]", container)
            items = [*mapping, *mapping.values()]
        else:
            items = [*container]
        found += items
        found.append(container)  # so that what is in one of two cannot be taken for the other's
        for kind in set(map(type, items)):
            if not is_value(kind):
                if not issubclass(kind, _CONTAINERS) or len(todo) > _TOO_MANY:
                    return None
                todo += [item for item in items if type(item) is kind]
    return found


def _raw(this: Any, name: str) -> Any:
    try:
        return object.__getattribute__(this, name)
    except AttributeError:
        return _UNKNOWN


def _is_container(kind: type[Any]) -> bool:
    return issubclass(kind, _CONTAINERS)


def _names_of(kind: type[Any]) -> frozenset[str]:
    """The attributes that belong to the class and not to its instances, and what Python asks."""
    found: set[str] = {"__class__", "__dict__", "__slots__", "__weakref__"}
    for base in kind.__mro__:
        for name, value in base.__dict__.items():
            if not isinstance(value, types.MemberDescriptorType) or name.startswith(_DUNDER):
                found.add(name)
    return frozenset(found)


def _is_frozen(kind: type[Any]) -> bool:
    """Whether it is an attrs class whose instances refuse assignment."""
    setter = getattr(kind, "__setattr__", None)
    return hasattr(kind, "__attrs_attrs__") and "frozen" in getattr(setter, "__name__", "")


def _classes(modules: Sequence[str]) -> Iterator[type[Any]]:
    """The classes of some modules whose instances have state, each once, in order of names."""
    for name in modules:
        for one in vars(sys.modules[name]).values():
            if isinstance(one, type) and one.__module__ == name and _has_state(one):
                yield one


def _modules(packages: Sequence[str]) -> Iterator[str]:
    """The names of all modules of some packages, each imported."""
    for package in packages:
        root = importlib.import_module(package)
        yield package
        for info in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{package}."):
            if not info.name.endswith("__main__"):
                importlib.import_module(info.name)
                yield info.name


def _has_state(kind: type[Any]) -> bool:
    return not (issubclass(kind, (*_VALUES, *_CONTAINERS)) or _is_frozen(kind))
