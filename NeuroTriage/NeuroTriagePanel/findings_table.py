"""The findings in the panel's table widget; a click on a line hands on its number."""

from __future__ import annotations

from collections.abc import Callable

import qt

from .findings_rows import COLUMNS, NONE, FindingRow

# Figures stand right, words left.
_RIGHT_COLUMNS = {1, 2, 3, 5, 6}
_DOUBT = COLUMNS.index("Doubt")
_PRESENT_BACKGROUND = "#fdf1ef"
_QUIET_TEXT = "#707070"
_SWATCH_PX = 10
_ROW_PX = 26
_STYLE = "QTableWidget::item { padding: 0 4px; } QHeaderView::section { padding: 0 4px; border: none; }"


class FindingsTable:
    """Fills a QTableWidget.

    Args:
        table: the widget.
        on_row: called with the number of the line that was clicked.
    """

    def __init__(self, table, on_row: Callable[[int], None]) -> None:
        self._table = table
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels(list(COLUMNS))
        table.verticalHeader().setVisible(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        for column in range(len(COLUMNS)):
            table.horizontalHeaderItem(column).setTextAlignment(_alignment(column))
        table.styleSheet = _STYLE
        header.setFixedHeight(_ROW_PX)
        table.verticalHeader().setDefaultSectionSize(_ROW_PX)
        table.connect("cellClicked(int,int)", on_row)
        self.show(())

    def show(self, rows: tuple[FindingRow, ...]) -> None:
        """Show these lines instead of those that are there."""
        self._table.setRowCount(0)
        self._table.setRowCount(len(rows))
        # One system alone has nobody to disagree with, and the names need the room.
        self._table.setColumnHidden(_DOUBT, all(row.cells[_DOUBT] == NONE for row in rows))
        for number, row in enumerate(rows):
            for column, text in enumerate(row.cells):
                self._table.setItem(number, column, _item(row, column, text))
        # As high as its lines: the panel scrolls, the table does not.
        self._table.setFixedHeight((1 + max(len(rows), 1)) * _ROW_PX + 4)


def _item(row: FindingRow, column: int, text: str):
    item = qt.QTableWidgetItem(text)
    item.setToolTip(row.tooltip)
    item.setTextAlignment(_alignment(column))
    if column == 0:
        item.setIcon(_swatch(row.color_rgb))
    if row.status == "found":
        item.setBackground(qt.QBrush(qt.QColor(_PRESENT_BACKGROUND)))
    else:
        item.setForeground(qt.QBrush(qt.QColor(_QUIET_TEXT)))
    return item


def _alignment(column: int):
    return (qt.Qt.AlignRight if column in _RIGHT_COLUMNS else qt.Qt.AlignLeft) | qt.Qt.AlignVCenter


def _swatch(color_rgb: tuple[float, float, float]):
    pixmap = qt.QPixmap(_SWATCH_PX, _SWATCH_PX)
    pixmap.fill(qt.QColor(*(round(255 * value) for value in color_rgb)))
    return qt.QIcon(pixmap)
