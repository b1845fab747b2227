"""Plain tables of figures: names left, figures right, as high as their lines."""

from __future__ import annotations

from collections.abc import Sequence

import qt

ROW_PX = 24
_STYLE = "QTableWidget::item { padding: 0 4px; } QHeaderView::section { padding: 0 4px; border: none; }"


def fill_figures(
    table,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    tooltips: Sequence[str] = (),
    left_columns: Sequence[int] = (0,),
    fit_height: bool = True,
) -> None:
    """Show these lines in a QTableWidget.

    Args:
        table: the widget.
        columns: headers; the first column takes the room that is left.
        rows: one text per column each.
        tooltips: one per line, or none.
        left_columns: columns of words; the others are figures and stand right.
        fit_height: as high as its lines (the panel scrolls, the table does not).
    """
    table.setRowCount(0)
    table.setColumnCount(len(columns))
    table.setHorizontalHeaderLabels(list(columns))
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setDefaultSectionSize(ROW_PX)
    table.styleSheet = _STYLE
    header = table.horizontalHeader()
    header.setFixedHeight(ROW_PX)
    header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
    table.setRowCount(len(rows))
    for column in range(len(columns)):
        table.horizontalHeaderItem(column).setTextAlignment(_alignment(column in left_columns))
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            item = qt.QTableWidgetItem(text)
            item.setTextAlignment(_alignment(column in left_columns))
            item.setToolTip(tooltips[number] if tooltips else text)
            table.setItem(number, column, item)
    if fit_height:
        table.setFixedHeight((1 + max(len(rows), 1)) * ROW_PX + 4)


def _alignment(left: bool):
    return (qt.Qt.AlignLeft if left else qt.Qt.AlignRight) | qt.Qt.AlignVCenter
