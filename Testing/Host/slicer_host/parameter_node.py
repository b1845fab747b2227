"""slicer.parameterNodeWrapper: the part that the module uses (MRML nodes, bool, int, float, str, enums; connectGui)."""

from __future__ import annotations

import enum
import functools
import typing

import slicer
import vtk


def parameterNodeWrapper(cls: type) -> type:
    """Class decorator: annotated fields become parameters and node references of a vtkMRMLScriptedModuleNode."""
    fields = {name: _Field(name, hint, getattr(cls, name, None)) for name, hint in typing.get_type_hints(cls).items()}
    return type(cls.__name__, (_ParameterNode,), {**fields, "_fields": fields, "__doc__": cls.__doc__})


class _Field:
    """One parameter, read from and written to the MRML node."""

    def __init__(self, name: str, kind: type, default: typing.Any) -> None:
        self.name, self.kind = name, kind
        self.is_node = issubclass(kind, slicer.vtkMRMLNode)
        if default is None and issubclass(kind, enum.Enum):
            default = next(iter(kind))
        self.default = kind() if default is None and not self.is_node else default

    def __get__(self, wrapper, owner=None):
        if wrapper is None:
            return self
        if self.is_node:
            return wrapper.parameterNode.GetNodeReference(self.name)
        return self._parsed(wrapper.parameterNode.GetParameter(self.name))

    def __set__(self, wrapper, value) -> None:
        node = wrapper.parameterNode
        if self.is_node:
            if value is not None and not value.IsA(self.kind.__name__):
                raise TypeError(f"{self.name}: {value.GetClassName()} is no {self.kind.__name__}")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
        elif not isinstance(value, self.kind):
            raise TypeError(f"{self.name}: {value!r} is no {self.kind.__name__}")
        else:
            node.SetParameter(self.name, value.name if isinstance(value, enum.Enum) else str(value))

    def _parsed(self, text: str):
        if issubclass(self.kind, enum.Enum):
            return self.kind[text]
        return text == "True" if self.kind is bool else self.kind(text)


class _ParameterNode:
    """What Slicer's wrapped class offers beside its fields."""

    _fields: typing.ClassVar[dict[str, _Field]] = {}

    def __init__(self, parameterNode) -> None:  # noqa: N803
        self.__dict__["parameterNode"] = parameterNode
        self.__dict__["_connections"] = {}
        for field in self._fields.values():
            if not field.is_node and not parameterNode.GetParameter(field.name):
                field.__set__(self, field.default)

    def __setattr__(self, name, value) -> None:
        if name not in self._fields:
            raise AttributeError(f"{type(self).__name__} has no parameter named {name}")
        self._fields[name].__set__(self, value)

    def connectGui(self, gui) -> int:
        """Tie every widget with a SlicerParameterName to its parameter, both ways. Returns a tag for disconnectGui."""
        ties = []
        for widget in vars(gui).values():
            name = widget.property("SlicerParameterName")
            if name:
                if name not in self._fields:
                    raise RuntimeError(f"{widget.name}: no parameter named {name}")
                ties.append(_tie(widget, self._fields[name]))
        update = functools.partial(self._to_gui, ties)
        update()
        observer = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, update)
        slots = []
        for signal, field, read, _ in ties:
            slot = functools.partial(self._from_gui, field, read)
            signal.connect(slot)
            slots.append((signal, slot))
        tag = len(self._connections) + 1
        self._connections[tag] = (observer, slots)
        return tag

    def disconnectGui(self, tag: int) -> None:
        observer, slots = self._connections.pop(tag)
        self.parameterNode.RemoveObserver(observer)
        for signal, slot in slots:
            signal.disconnect(slot)

    def AddObserver(self, *arguments):
        return self.parameterNode.AddObserver(*arguments)

    def RemoveObserver(self, *arguments):
        return self.parameterNode.RemoveObserver(*arguments)

    def HasObserver(self, *arguments):
        return self.parameterNode.HasObserver(*arguments)

    def _to_gui(self, ties, caller=None, event=None) -> None:
        for _, field, read, write in ties:
            value = field.__get__(self)
            if read() != value:
                write(value)

    def _from_gui(self, field, read, *_) -> None:
        field.__set__(self, read())


def _tie(widget, field: _Field) -> tuple:
    """Change signal, field, reader and writer for a widget; the same pairs of types that Slicer's connectors know."""
    import qt

    if field.is_node and type(widget) is slicer.qMRMLNodeComboBox:
        widget.nodeTypes = (field.kind.__name__,)
        return widget.currentNodeChanged, field, widget.currentNode, widget.setCurrentNode
    if field.kind is bool and type(widget) is qt.QCheckBox:
        return widget.stateChanged, field, lambda: widget.checked, widget.setChecked
    if field.kind is float and type(widget).__name__ == "ctkSliderWidget":
        return widget.valueChanged, field, lambda: widget.value, widget.setValue
    if field.kind is str and type(widget) is qt.QLineEdit:
        return widget.textChanged, field, lambda: widget.text, widget.setText
    if issubclass(field.kind, enum.Enum) and type(widget) is qt.QComboBox:
        label = getattr(field.kind, "label", lambda member: member.name)
        members = list(field.kind)
        widget.clear()
        widget.addItems([label(member) for member in members])
        return (
            widget.currentIndexChanged,
            field,
            lambda: members[widget.currentIndex],
            lambda value: widget.setCurrentIndex(members.index(value)),
        )
    raise RuntimeError(f"Unable to create GUI connector from {field.kind} to {type(widget).__name__} ({widget.name})")
