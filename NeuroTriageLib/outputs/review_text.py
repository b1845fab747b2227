"""A reader's word on an exam in sentences, the same in every document."""

from __future__ import annotations

from ..core.codes import ANY, FINDING_CODES
from ..core.findings import ExamResult

REVIEW_WORDS = {"draft": "draft, not signed", "flagged": "flagged for a second opinion", "approved": "approved"}
DECISION_WORDS = {"accept": "accepted", "edit": "edited", "reject": "rejected"}


def review_sentences(result: ExamResult) -> list[str]:
    """Who looked at the answer, what was accepted, edited, rejected or measured; [] of an answer nobody reviewed."""
    review = result.review
    if review is None:
        return []
    when = review.created_utc.replace("T", " ").removesuffix("Z")
    sentences = [f"Reviewed by {review.reader}: {REVIEW_WORDS[review.status]}, version {review.version}, {when} UTC."]
    for decision, word in DECISION_WORDS.items():
        codes = [finding.code for finding in result.findings if finding.decision == decision]
        names = [FINDING_CODES[code].name for code in codes if code != ANY or codes == [ANY]]
        sentences += [f"{word.capitalize()} by the reader: {', '.join(names)}."] if names else []
    if result.midline is not None:
        sentences.append(" ".join(filter(None, (f"Midline shift {result.midline.words}.", result.midline.caveat))))
    if review.confidence is not None:
        sentences.append(f"Confidence of the reader: {review.confidence} of 5.")
    return [*sentences, *([f"Comment of the reader: {review.comment}"] if review.comment else [])]
