"""Reading exams by people: versions of a mask, case lists, agreement, live measurements; numpy only when imported."""
