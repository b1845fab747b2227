"""An archive behind DICOMweb: its studies listed by QIDO-RS, one study fetched by WADO-RS for as long as it is read.

dicomweb-client (extra `dicomweb`) does the protocol: paging, multipart messages, retries. Its dependencies are small,
and highdicom's authors keep it; the standard library has no reader for streamed multipart messages.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import ConfigError, InputError, output_error
from ..io.archives import MAX_UNPACKED_BYTES
from .exam_task import ExamTask, exam_key

CREDENTIALS_VARIABLE = "NEUROTRIAGE_DICOMWEB_CREDENTIALS"
"""Environment variable that may hold what a credentials file holds."""

PAGE = 500
"""Studies asked for at once (ours; servers may send fewer)."""

CONNECT_S, READ_S = 10.0, 120.0
"""How long a server may take to take a call, and between two pieces of an answer (ours)."""

ATTEMPTS, BACK_OFF_MS = 5, 1000
"""Calls that a busy server answers with an error are made again after 2, 4, 8 and 16 s (ours)."""

READ_MODALITIES = frozenset({"CT", "MR"})
_STUDY_UID, _SERIES_UID, _MODALITIES, _MODALITY = "0020000D", "0020000E", "00080061", "00080060"


@dataclass(frozen=True, repr=False)
class ServerAccess:
    """A DICOMweb server and how to be let in.

    Args:
        url: base of its QIDO and WADO services, without credentials.
        credentials: "Bearer TOKEN" or "USER:PASSWORD"; "" for none. Never printed.
    """

    url: str
    credentials: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.username or parts.password:
            raise ConfigError(
                "Credentials do not belong into the URL, where everybody can read them.",
                where="SOURCE",
                next_step=f"Use --credentials FILE or the environment variable {CREDENTIALS_VARIABLE}.",
            )
        if self.credentials and parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
            raise ConfigError(
                "Credentials are not sent without encryption.", where=self.url, next_step="Use an https URL."
            )


def read_credentials(path: Path | None) -> str:
    """The credentials from the file, or from the environment; "" when there are none. Raises ConfigError."""
    try:
        text = os.environ.get(CREDENTIALS_VARIABLE, "") if path is None else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("The file of credentials cannot be read.", where=str(path)) from error
    text = text.strip()
    if text and ("\n" in text or not (text.startswith("Bearer ") or ":" in text)):
        raise ConfigError('Credentials are one line, "Bearer TOKEN" or "USER:PASSWORD".', where="--credentials")
    return text


def list_studies(
    server: ServerAccess, filters: Mapping[str, str], on_page: Callable[[int], None] = lambda count: None
) -> Iterator[ExamTask]:
    """The server's studies that hold CT or MR, or do not say what they hold; a study is listed once.

    Args:
        server: where.
        filters: QIDO attributes to match, keyword -> value ("StudyDate" -> "20200101-20201231").
        on_page: hears how many studies were listed.

    Raises:
        InputError: the server does not answer, refuses, or answers with something else.
    """
    client, seen, offset = _client(server), set[str](), 0
    while True:
        with _told(server):
            page = client.search_for_studies(
                limit=PAGE, offset=offset, fields=["ModalitiesInStudy"], search_filters=dict(filters)
            )
        new = {uid: item for item in page if (uid := _text(item, _STUDY_UID)) and uid not in seen}
        for uid, item in new.items():
            modalities = set(_values(item, _MODALITIES))
            if not modalities or modalities & READ_MODALITIES:
                yield ExamTask(exam_key(uid), uid)
        seen |= new.keys()
        offset += len(page)
        on_page(offset)
        if not new:  # the end, or a server that knows no offset and has sent its one page again
            return


@contextmanager
def fetched_study(server: ServerAccess, study_uid: str) -> Iterator[Path]:
    """A folder with the study's CT and MR series as they are stored; it is removed at the end.

    Raises:
        InputError: the server does not answer, does not have the study, or sends more than can be kept.
    """
    client = _client(server)
    with tempfile.TemporaryDirectory(prefix="neurotriage-") as name:
        folder, size = Path(name), 0
        with _told(server):
            listed = client.search_for_series(study_uid)
            uids = [_text(item, _SERIES_UID) for item in listed if _text(item, _MODALITY) in READ_MODALITIES]
            for number, uid in enumerate(uids):
                stored = client.iter_series(study_uid, uid, media_types=(("application/dicom", "*"),))
                for index, dataset in enumerate(stored):
                    path = folder / f"{number:04d}_{index:05d}.dcm"
                    dataset.save_as(path)
                    size += path.stat().st_size
                    if size > MAX_UNPACKED_BYTES:
                        raise InputError(f"The study has more than {MAX_UNPACKED_BYTES >> 30} GiB.")
        yield folder


def _client(server: ServerAccess) -> Any:
    try:
        import requests
        from dicomweb_client import DICOMwebClient
    except ImportError as error:
        raise ConfigError(
            f"DICOMweb needs a package that is not installed ({error.name}).",
            next_step="Install it with: pip install 'neurotriage[dicomweb]'",
        ) from error
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(max_retries=ATTEMPTS)  # of calls that reached nobody
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if server.credentials.startswith("Bearer "):
        session.auth = partial(_with_token, server.credentials)  # a plain header would give way to a .netrc file
    elif server.credentials:
        user, _, password = server.credentials.partition(":")
        session.auth = (user, password)
    try:
        client = DICOMwebClient(server.url.rstrip("/"), session=session, timeout=(CONNECT_S, READ_S))
    except ValueError as error:
        raise ConfigError("This is no URL of a DICOMweb service.", where=server.url) from error
    client.set_http_retry_params(max_attempts=ATTEMPTS, wait_exponential_multiplier=BACK_OFF_MS)
    return client


def _with_token(token: str, request: Any) -> Any:
    request.headers["Authorization"] = token
    return request


@contextmanager
def _told(server: ServerAccess) -> Iterator[None]:
    """Turn what goes wrong on the way into a message; the server's own words stay out of it."""
    import requests
    import retrying

    try:
        yield
    except requests.HTTPError as error:
        status = 0 if error.response is None else error.response.status_code
        step = "Check the credentials." if status in (401, 403) else "See the server's log."
        raise InputError(f"The DICOMweb server refused with HTTP status {status}.", next_step=step) from error
    except retrying.RetryError as error:
        raise InputError("The DICOMweb server stays busy.", next_step="Try later with --retry-failed.") from error
    except requests.RequestException as error:
        raise InputError(
            f"The DICOMweb server does not answer ({type(error).__name__}).",
            where=server.url,
            next_step="Check the URL and the network, then use --retry-failed.",
        ) from error
    except OSError as error:
        raise output_error(error, Path(tempfile.gettempdir())) from error
    except InputError:
        raise
    except Exception as error:  # not JSON, no multipart message, no DICOM
        raise InputError(f"The DICOMweb server's answer cannot be read ({type(error).__name__}).") from error


def _values(item: Mapping[str, Any], tag: str) -> list[str]:
    """The values of an attribute of DICOM JSON; PS3.18, annex F."""
    values = item.get(tag, {}).get("Value", [])
    return [value.strip() for value in values if isinstance(value, str)]


def _text(item: Mapping[str, Any], tag: str) -> str:
    return next(iter(_values(item, tag)), "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return bool(re.fullmatch(r"localhost", host, flags=re.IGNORECASE))
