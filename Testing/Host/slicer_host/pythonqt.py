"""The module ``qt`` as PythonQt offers it, made from PySide6: properties are attributes, signals are named by strings.

Strict where PythonQt is: an unknown property, signal or receiver raises. Exceptions in slots are collected in
``slot_errors`` (PythonQt only prints them), so that a test can fail on them.
"""

from __future__ import annotations

import inspect
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

slot_errors: list[BaseException] = []

_QT_MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
_NATIVE_CLASSES: set[type] = set()
_connections: dict[tuple, list[Callable]] = {}
# The methods as PySide has them, before they are hidden by properties of the same name.
_object_property = QtCore.QObject.property
_object_set_property = QtCore.QObject.setProperty
# C++ calls these virtual functions through their Python name: they must stay methods.
_VIRTUAL = {"sizeHint", "minimumSizeHint"}


class PropertyAttribute:
    """One Q_PROPERTY as an attribute of instances; the class itself still shows PySide's method."""

    def __init__(self, cls: type, meta: QtCore.QMetaProperty) -> None:
        self.name = meta.name()
        method = inspect.getattr_static(cls, self.name, None)
        is_method = method is not None and not isinstance(method, QtCore.Signal | property | PropertyAttribute)
        self.method = getattr(cls, self.name) if is_method else None
        capitalised = self.name[0].upper() + self.name[1:]
        self.getter = self.method or getattr(cls, "is" + capitalised, None)
        self.setter = getattr(cls, "set" + capitalised, None)
        self.writable = meta.isWritable()

    def __get__(self, instance: QtCore.QObject | None, owner: type | None = None) -> Any:
        if instance is None:
            return self.method or self
        value = self.getter(instance) if self.getter else _object_property(instance, self.name)
        return tuple(value) if isinstance(value, list) else value

    def __set__(self, instance: QtCore.QObject, value: Any) -> None:
        if not self.writable:
            raise AttributeError(f"Property '{self.name}' of {type(instance).__name__} is not writable.")
        if self.setter:
            self.setter(instance, value)
        else:
            _object_set_property(instance, self.name, value)


def build_qt_module() -> types.ModuleType:
    """Turn PySide6's classes into PythonQt's (for the whole process) and gather them in a module named qt."""
    qt = types.ModuleType("qt")
    for module in _QT_MODULES:
        for name in dir(module):
            if not name.startswith("_"):
                setattr(qt, name, getattr(module, name))
    classes = sorted(set(_object_classes(qt)), key=lambda cls: len(cls.__mro__))
    _NATIVE_CLASSES.update(classes)
    # All attributes are computed before the first is put in place, so that each finds the original methods.
    attributes = [(cls, PropertyAttribute(cls, meta)) for cls in classes for meta in _own_properties(cls)]
    for cls, attribute in attributes:
        setattr(cls, attribute.name, attribute)
    for cls in classes:
        cls.__setattr__ = _set_attribute_strictly
    _extend_object_class()
    for cls in classes:
        if cls is QtCore.QObject or "__getattribute__" in cls.__dict__:  # PySide gives a few classes one of their own
            _connect_by_string(cls)
    qt.slot_errors = slot_errors
    return qt


def strict(cls: type) -> type:
    """Class decorator for stand-ins: refuse unknown attributes as wrapped C++ classes do (names with _ are free)."""
    _NATIVE_CLASSES.add(cls)
    cls.__setattr__ = _set_attribute_strictly
    return cls


def connect(sender: QtCore.QObject, signature: str, receiver: Callable) -> bool:
    """``sender.connect("name(types)", callable)``. Raises when the sender has no such signal."""
    types = signature[signature.index("(") + 1 : signature.rindex(")")].strip()
    slot = _with_arity(_as_slot(receiver), types.count(",") + 1 if types else 0)
    _signal(sender, signature).connect(slot)
    _connections.setdefault((id(sender), signature, receiver), []).append(slot)
    return True


def disconnect(sender: QtCore.QObject, signature: str, receiver: Callable) -> bool:
    """Undo connect; False when there was no such connection."""
    slots = _connections.pop((id(sender), signature, receiver), [])
    for slot in slots:
        _signal(sender, signature).disconnect(slot)
    return bool(slots)


def _object_classes(qt: types.ModuleType) -> Iterator[type]:
    for value in vars(qt).values():
        if inspect.isclass(value) and issubclass(value, QtCore.QObject):
            yield value


def _own_properties(cls: type) -> Iterator[QtCore.QMetaProperty]:
    meta = cls.__dict__.get("staticMetaObject")
    if meta is not None:
        for index in range(meta.propertyOffset(), meta.propertyCount()):
            if meta.property(index).name() not in _VIRTUAL:
                yield meta.property(index)


def _set_attribute_strictly(instance: QtCore.QObject, name: str, value: Any) -> None:
    attribute = inspect.getattr_static(type(instance), name, None)
    if attribute is not None and hasattr(type(attribute), "__set__"):
        type(attribute).__set__(attribute, instance, value)
    elif _is_free(instance, name) or isinstance(
        value, QtCore.SignalInstance
    ):  # PySide keeps used signals on the object
        instance.__dict__[name] = value
    elif name in _dynamic_properties(instance):
        _object_set_property(instance, name, value)
    else:
        raise AttributeError(f"{type(instance).__name__} has no attribute named '{name}'.")


def _is_free(instance: QtCore.QObject, name: str) -> bool:
    """True for private names, Python subclasses, and the plain attributes that a stand-in declares."""
    cls = type(instance)
    return name.startswith("_") or cls not in _NATIVE_CLASSES or name in getattr(cls, "UI_PROPERTIES", ())


def _dynamic_properties(instance: QtCore.QObject) -> list[str]:
    return [bytes(name.data()).decode() for name in QtCore.QObject.dynamicPropertyNames(instance)]


def _extend_object_class() -> None:
    """What PythonQt adds to every QObject: name, className(), delete(), connect by string."""
    base = QtCore.QObject
    base.name = property(lambda self: self.objectName, lambda self, name: self.setObjectName(name))
    base.className = lambda self: self.metaObject().className()
    base.delete = lambda self: self.deleteLater()


def _connect_by_string(cls: type) -> None:
    """PySide looks connect and disconnect up in a way that ignores class attributes; only this hook comes first."""
    original = cls.__getattribute__

    def get_attribute(self, name: str) -> Any:
        if name in ("connect", "disconnect"):
            return _by_string(self, original(self, name), connect if name == "connect" else disconnect)
        return original(self, name)

    cls.__getattribute__ = get_attribute


def _by_string(sender: QtCore.QObject, native: Callable, ours: Callable) -> Callable:
    def call(*arguments):
        # PySide's own signal.connect() comes by here too; its signatures start with the code "2".
        named = bool(arguments) and isinstance(arguments[0], str) and not arguments[0].startswith("2")
        return ours(sender, *arguments) if named else native(*arguments)

    return call


def _signal(sender: QtCore.QObject, signature: str) -> QtCore.SignalInstance:
    """The signal with exactly this C++ signature."""
    normal = bytes(QtCore.QMetaObject.normalizedSignature(signature)).decode()
    for cls in type(sender).__mro__:  # stand-ins declare signals whose C++ types Python does not know
        declared = cls.__dict__.get("CPP_SIGNALS", {})
        if normal in declared:
            return getattr(sender, declared[normal])
    if sender.metaObject().indexOfSignal(normal) < 0:
        raise RuntimeError(f"QObject::connect: no signal {normal} in {type(sender).__name__}.")
    return getattr(sender, normal.split("(")[0])


def _with_arity(slot: Callable, count: int) -> Callable:
    """The slot as a function with that many parameters: PySide leaves out default arguments for one that takes any."""
    return (
        lambda: slot(),
        lambda first: slot(first),
        lambda first, second: slot(first, second),
        lambda first, second, third: slot(first, second, third),
        lambda first, second, third, fourth: slot(first, second, third, fourth),
    )[count]


def _as_slot(receiver: Callable) -> Callable:
    """The receiver as PythonQt calls it: surplus signal arguments are dropped, exceptions do not travel into Qt."""
    parameters = inspect.signature(receiver).parameters.values()
    takes_all = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    count = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)

    def slot(*arguments):
        try:
            receiver(*(arguments if takes_all else arguments[:count]))
        except Exception as error:
            slot_errors.append(error)
            traceback.print_exc()

    return slot
