"""The findings in the panel's table widget: bar with tick, mL, doubt, decision, and a box that shows or hides."""

from __future__ import annotations

from collections.abc import Callable, Collection

import qt
from slicer.i18n import tr as _

from .findings_rows import COLUMNS, NONE, FindingRow
from .theme import color

_FINDING, _PROBABILITY, _VOLUME, _DOUBT, _SLICE, _READER = range(len(COLUMNS))
_RIGHT_COLUMNS = {_VOLUME, _DOUBT, _SLICE}
_SWATCH_PX = 10
_ROW_PX = 26
_BAR_PX = (86, 18)
_BAR_WIDTH_PX, _BAR_HEIGHT_PX = 50, 8
_STYLE = "QTableWidget::item { padding: 0 4px; } QHeaderView::section { padding: 0 4px; border: none; }"


class FindingsTable:
    """Fills a QTableWidget.

    Args:
        table: the widget.
        on_row: called with the code of the line that was clicked.
        on_shown: called with a code and whether its mask is to be shown.
    """

    def __init__(self, table, on_row: Callable[[str], None], on_shown: Callable[[str, bool], None]) -> None:
        self._table, self._on_row, self._on_shown = table, on_row, on_shown
        self._codes: tuple[str, ...] = ()
        self._filling = False
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels(list(COLUMNS))
        table.verticalHeader().setVisible(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(_FINDING, qt.QHeaderView.Stretch)
        for column in range(len(COLUMNS)):
            table.horizontalHeaderItem(column).setTextAlignment(_alignment(column))
        table.horizontalHeaderItem(_READER).setToolTip(_("Your decision: accepted, edited or rejected"))
        table.styleSheet = _STYLE
        header.setFixedHeight(_ROW_PX)
        table.verticalHeader().setDefaultSectionSize(_ROW_PX)
        table.connect("cellClicked(int,int)", self._on_cell_clicked)
        table.connect("itemChanged(QTableWidgetItem*)", self._on_item_changed)
        self.show((), ())

    @property
    def selected_code(self) -> str | None:
        """Code of the selected line."""
        row = self._table.currentRow()
        return self._codes[row] if 0 <= row < len(self._codes) else None

    def select(self, code: str | None) -> None:
        """Select the line of a code, None for no line."""
        self._table.setCurrentCell(self._codes.index(code) if code in self._codes else -1, _FINDING)

    def show(self, rows: tuple[FindingRow, ...], shown: Collection[str]) -> None:
        """Show these lines instead of those that are there; the selected finding stays selected.

        Args:
            rows: in their order.
            shown: codes whose mask is visible.
        """
        selected = self.selected_code
        self._filling = True
        self._table.setRowCount(0)
        self._table.setRowCount(len(rows))
        self._codes = tuple(row.code for row in rows)
        # One system alone has nobody to disagree with, and the names need the room.
        self._table.setColumnHidden(_DOUBT, all(row.doubt_text == NONE for row in rows))
        self._table.setColumnHidden(_READER, all(row.decision_text == NONE for row in rows))
        for number, row in enumerate(rows):
            self._fill(number, row, shown)
        # As high as its lines: the panel scrolls, the table does not.
        self._table.setFixedHeight((1 + max(len(rows), 1)) * _ROW_PX + 4)
        self._filling = False
        self.select(selected)

    def _fill(self, number: int, row: FindingRow, shown: Collection[str]) -> None:
        unseen = "not assessed" if row.probability is None else ""
        texts = (row.name, unseen, row.volume_text, row.doubt_text, row.slice_text, row.decision_text)
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(row.tooltip)
            item.setTextAlignment(_alignment(column))
            if row.status == "found":
                item.setBackground(qt.QBrush(color(self._table, "present")))
            else:
                item.setForeground(qt.QBrush(color(self._table, "quiet")))
            if column == _DOUBT and row.is_doubtful:
                item.setBackground(qt.QBrush(color(self._table, "doubtful")))
            self._table.setItem(number, column, item)
        first = self._table.item(number, _FINDING)
        first.setIcon(_swatch(row.color_rgb))
        if row.status == "found" and row.volume_text != NONE:
            first.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
            first.setCheckState(qt.Qt.Checked if row.code in shown else qt.Qt.Unchecked)
        if row.probability is not None:
            self._table.setCellWidget(number, _PROBABILITY, self._bar(row))

    def _bar(self, row: FindingRow):
        """The probability as a bar with the threshold's tick."""
        label = qt.QLabel()
        label.toolTip = row.tooltip
        label.setAlignment(qt.Qt.AlignCenter)
        label.setAttribute(qt.Qt.WA_TransparentForMouseEvents)
        # A ground of its own: the figure's colours would be lost on that of the selected row.
        ground = color(self._table, "present").name() if row.status == "found" else "palette(base)"
        label.styleSheet = f"background: {ground};"
        label.setPixmap(probability_bar(self._table, row))
        return label

    def _on_cell_clicked(self, row: int, column: int) -> None:
        if row < len(self._codes):
            self._on_row(self._codes[row])

    def _on_item_changed(self, item) -> None:
        if not self._filling and item.column() == _FINDING:
            self._on_shown(self._codes[item.row()], item.checkState() == qt.Qt.Checked)


def probability_bar(widget, row: FindingRow):
    """A pixmap: track, bar as long as the probability, tick at the threshold, and the figure."""
    ratio = 2  # also sharp on screens with small pixels
    pixmap = qt.QPixmap(_BAR_PX[0] * ratio, _BAR_PX[1] * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(pixmap)
    top = (_BAR_PX[1] - _BAR_HEIGHT_PX) // 2
    painter.fillRect(0, top, _BAR_WIDTH_PX, _BAR_HEIGHT_PX, color(widget, "track"))
    length = round(_BAR_WIDTH_PX * row.probability)
    bar = color(widget, "bar" if row.status == "found" else "calm_bar")
    painter.fillRect(0, top, length, _BAR_HEIGHT_PX, bar)
    if row.threshold is not None:
        tick = min(round(_BAR_WIDTH_PX * row.threshold), _BAR_WIDTH_PX - 2)
        painter.fillRect(tick, top - 4, 2, _BAR_HEIGHT_PX + 8, color(widget, "tick"))
    painter.setPen(color(widget, "tick" if row.status == "found" else "quiet"))
    painter.drawText(_BAR_WIDTH_PX + 6, _BAR_PX[1] - 5, f"{row.probability:.2f}")
    painter.end()
    return pixmap


def _alignment(column: int):
    return (qt.Qt.AlignRight if column in _RIGHT_COLUMNS else qt.Qt.AlignLeft) | qt.Qt.AlignVCenter


def _swatch(color_rgb: tuple[float, float, float]):
    pixmap = qt.QPixmap(_SWATCH_PX, _SWATCH_PX)
    pixmap.fill(qt.QColor(*(round(255 * value) for value in color_rgb)))
    return qt.QIcon(pixmap)
