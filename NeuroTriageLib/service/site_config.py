"""Every setting of the node: one frozen, checked dataclass for each section of the site's file.

Secrets are never in the file itself but in files of their own that it names.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid")


def _beside_the_file(value: Any, info: ValidationInfo) -> Any:
    """A path as written, seen from the folder of the site's file."""
    folder = (info.context or {}).get("folder")
    return Path(folder, value) if folder is not None and isinstance(value, str) else value


def _pack(value: Any, info: ValidationInfo) -> Any:
    """A model pack beside the site's file, or the name of one that ships."""
    beside = _beside_the_file(value, info)
    return str(beside) if isinstance(beside, Path) and beside.exists() else value


def _network(value: str) -> str:
    """An IP address or network ("10.1.0.0/16") in its usual form."""
    return str(ipaddress.ip_network(value, strict=False))


SitePath = Annotated[Path, BeforeValidator(_beside_the_file)]
ModelPack = Annotated[str, BeforeValidator(_pack)]
AeTitle = Annotated[str, Field(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$")]  # PS3.5, table 6.2-1, AE
Network = Annotated[str, AfterValidator(_network)]
Port = Annotated[int, Field(ge=0, le=65535)]  # 0: any free one (tests)
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Days = Annotated[NotNegative | None, BeforeValidator(lambda value: None if value == "never" else value)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]  # no user or password in it: they would be logged

Answer = Literal["found", "not_found", "could_not_look"]
"""What an exam's answer is as a whole: something is found; nothing is; or it could not be looked at."""

ResultObject = Literal["segmentation", "heatmap", "structured_report", "report", "key_images"]


@dataclass(frozen=True, config=_STRICT)
class Tls:
    """Certificates of one end of a connection (PEM).

    Args:
        certificate, private_key: our own; a server needs them, a client when the other side asks for them.
        authorities: who must have signed the other side's certificate. Of a server: given, every client needs a
            certificate; of a client: None takes the system's authorities.
    """

    certificate: SitePath | None = None
    private_key: SitePath | None = None
    authorities: SitePath | None = None


@dataclass(frozen=True, config=_STRICT)
class Node:
    """[node]: who and where the node is.

    Args:
        data_folder: for ledger, inbox and results; on one file system, with rights for the node's user alone.
        ae_title: the called AE title that callers must use, and the calling one of what is sent.
        address, port: where DICOM is listened for; 104 and 11112 are usual (PS3.8, 9.1.1).
        tls: secures DICOM (PS3.15, B.12); without it the network must.
    """

    data_folder: SitePath
    ae_title: AeTitle = "NEUROTRIAGE"
    address: str = "127.0.0.1"
    port: Port = 11112
    tls: Tls | None = None


@dataclass(frozen=True, config=_STRICT)
class Caller:
    """[[callers]]: one who may send. Without any, nobody may.

    Args:
        ae_title: the calling AE title.
        addresses: where it may call from; () is anywhere.
        images_per_minute: it is slowed down to this; 0 is no limit.
        expected_images: an exam of it is complete as soon as it has so many images; None: when it is quiet.
    """

    ae_title: AeTitle
    addresses: tuple[Network, ...] = ()
    images_per_minute: NotNegative = 0.0
    expected_images: Count | None = None


@dataclass(frozen=True, config=_STRICT)
class Limits:
    """[limits]: what one sender can cost. All numbers are ours.

    Args:
        image_mb: larger ones are refused; an enhanced multi-frame CT of 2000 slices has about 1000 MB.
        images_per_exam: further ones are refused; the largest head studies (perfusion) have some thousand.
        associations: at once; more are refused as a temporary failure.
        idle_s: an association that says nothing for so long is ended.
        keep_free_gb: with less on the disk images are refused (out of resources, 0xA700) and no exam is read.
    """

    image_mb: Positive = 1024.0
    images_per_exam: Count = 20_000
    associations: Count = 16
    idle_s: Positive = 60.0
    keep_free_gb: NotNegative = 5.0


@dataclass(frozen=True, config=_STRICT)
class Completeness:
    """[completeness]: when an exam has all its images.

    Args:
        quiet_s: no image came for so long. Mercure, a comparable router, waits 60 s for a series; ours for a study.
        longest_s: images came for so long that it is read as it is; the others become a further revision.
    """

    quiet_s: Positive = 60.0
    longest_s: Positive = 3600.0


@dataclass(frozen=True, config=_STRICT)
class Readers:
    """[readers]: the warm processes that read.

    Args:
        processes: how many; each holds the models in memory (about 2 GB).
        device: of all of them.
        threads: of each on the CPU; 0 shares the cores between them.
        time_limit_s: a reader that needs longer for an exam is ended, and that counts as a try.
        tries: after so many failures the exam is set aside.
        exams_per_process: then the process is replaced by a fresh one, so that no leak grows.
        ct_model, mr_model: model packs in place of those that ship: path, or name of one that ships.
        accept_unfamiliar: answer also an exam unlike those that the models learned from.
        scene: write scene.mrb too.
        dicom_masks, dicom_heatmap: forms of the DICOM results.
        first_look: look at each complete exam before its turn, to order the queue.
        first_look_model: its model pack in place of the one that ships.
    """

    processes: Count = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=0)] = 0
    time_limit_s: Positive = 1800.0
    tries: Count = 3
    exams_per_process: Count = 200
    ct_model: ModelPack | None = None
    mr_model: ModelPack | None = None
    accept_unfamiliar: bool = False
    scene: bool = False
    dicom_masks: Literal["binary", "labelmap"] = "binary"
    dicom_heatmap: Literal["fractional", "parametric", "none"] = "fractional"
    first_look: bool = True
    first_look_model: ModelPack | None = None


@dataclass(frozen=True, config=_STRICT)
class Order:
    """[order]: head starts in the queue, in hours; an exam is read as if it had been complete so much earlier.

    The exam with the earliest (complete_at - head start) is next. So none starves: one that waits is overtaken only by
    exams that are complete within the largest head start after it. All numbers are ours.

    Args:
        first_look_h: of an exam whose first look is sure of bleeding (urgency 1); others have their part of it.
        dicom_high_h, dicom_low_h: of DICOM priority HIGH and LOW (0000,0700).
    """

    first_look_h: NotNegative = 12.0
    dicom_high_h: NotNegative = 4.0
    dicom_low_h: Annotated[float, Field(le=0)] = -2.0


@dataclass(frozen=True, config=_STRICT)
class Retry:
    """How often something is sent again: first_s after the first failure, then factor times longer, at most longest_s.

    Args:
        first_s, factor, longest_s: of the waits. Ours; the longest is short enough that a PACS that is back gets its
            results soon.
        give_up_h: after so many hours it is given up, with its reason; three days bridge a weekend.
    """

    first_s: Positive = 30.0
    factor: Annotated[float, Field(ge=1)] = 2.0
    longest_s: Positive = 1800.0
    give_up_h: Positive = 72.0


@dataclass(frozen=True, config=_STRICT)
class Login:
    """How we say who we are to a web server: user and password (Basic), or a token (Bearer). Secrets lie in files."""

    user: str | None = None
    password_file: SitePath | None = None
    token_file: SitePath | None = None


@dataclass(frozen=True, config=_STRICT)
class Destination:
    """[[destinations]]: where results go, and which.

    Args:
        name: unique.
        kind: "dicom" (C-STORE; needs ae_title, host, port) or "stow" (STOW-RS; needs url).
        ae_title, host, port: of the DICOM node.
        calling_ae_title: ours towards it; None is the node's own.
        url: of the DICOMweb service, up to before "/studies".
        login: towards url.
        tls: given, DICOM is sent over TLS; of https the authorities and our own certificate.
        answers: only exams with such an answer.
        objects: only these results.
        callers: only exams that came from these sources (exam.source: AE title, "dicomweb:NAME", "folder:NAME");
            () is all.
        commitment: ask for storage commitment (PS3.4, J) and wait for it before anything is deleted.
        commitment_wait_h: after so long without its answer the object is sent again.
        timeout_s: of one answer of the other side.
        retry: when something goes wrong.
    """

    name: Name
    kind: Literal["dicom", "stow"] = "dicom"
    ae_title: AeTitle | None = None
    host: str | None = None
    port: Port | None = None
    calling_ae_title: AeTitle | None = None
    url: Url | None = None
    login: Login | None = None
    tls: Tls | None = None
    answers: tuple[Answer, ...] = ("found", "not_found", "could_not_look")
    objects: tuple[ResultObject, ...] = ("segmentation", "structured_report", "report", "key_images")
    callers: tuple[str, ...] = ()
    commitment: bool = False
    commitment_wait_h: Positive = 24.0
    timeout_s: Positive = 60.0
    retry: Retry = Retry()

    def __post_init__(self) -> None:
        needed = ("ae_title", "host", "port") if self.kind == "dicom" else ("url",)
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"a destination of kind {self.kind} needs {', '.join(missing)}")
        if self.kind == "stow" and self.commitment:
            raise ValueError("commitment is a DICOM service; a stow destination has none")


@dataclass(frozen=True, config=_STRICT)
class Listener:
    """[[listeners]]: the owner of a worklist, told of each answer.

    Args:
        name: unique.
        kind: "webhook" (POST of JSON) or "ups" (UPS-RS, a work item for the reader is created).
        url: of the webhook, or of the UPS-RS service up to before "/workitems".
        login, tls, timeout_s, retry: as of a destination.
        secret_file: given, each webhook is signed (HMAC-SHA256 of its body in the header X-NeuroTriage-Signature).
        answers: only exams with such an answer.
        callers: as of a destination.
    """

    name: Name
    url: Url
    kind: Literal["webhook", "ups"] = "webhook"
    login: Login | None = None
    secret_file: SitePath | None = None
    tls: Tls | None = None
    answers: tuple[Answer, ...] = ("found", "not_found", "could_not_look")
    callers: tuple[str, ...] = ()
    timeout_s: Positive = 30.0
    retry: Retry = Retry()


@dataclass(frozen=True, config=_STRICT)
class HttpUser:
    """[[http.users]]: who may use the pages, by password or token.

    Args:
        name: unique.
        password_hash: as `neurotriage node password` prints it; None: no password.
        token_sha256: hexadecimal SHA-256 of a random token; None: no token.
        may: "read" the worklist and results, "send" images (STOW-RS), "metrics" alone.
        images_per_minute: it is slowed down to this; 0 is no limit.
    """

    name: Name
    password_hash: str | None = None
    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    may: tuple[Literal["read", "send", "metrics"], ...] = ("read",)
    images_per_minute: NotNegative = 0.0


@dataclass(frozen=True, config=_STRICT)
class Http:
    """[http]: worklist, state and DICOMweb receiver; without the section nothing is served.

    Args:
        address, port: where.
        tls: makes it https; without it only a loopback address is allowed.
        users: who may use it.
        requests_per_minute: of one address; more get 429. Ours.
        stow: take images by STOW-RS.
    """

    address: str = "127.0.0.1"
    port: Port = 8443
    tls: Tls | None = None
    users: tuple[HttpUser, ...] = ()
    requests_per_minute: Positive = 600.0
    stow: bool = False

    def __post_init__(self) -> None:
        if self.tls is None and not _is_loopback(self.address):
            raise ValueError("without tls only a loopback address (127.0.0.1) can be served")


@dataclass(frozen=True, config=_STRICT)
class Retention:
    """[retention]: what is removed when. The ledger and its audit trail stay. "never" (in Python None) keeps for ever.

    Args:
        images_days: the received images of exams that are done, days after that.
        results_days: their result files.
        set_aside_days: images of exams that could not be read.
        disk_share: when the disk is fuller than this share, images and then results of done exams go, the oldest first,
            whatever their age; 1 is never.
    """

    images_days: Days = 7.0
    results_days: Days = 30.0
    set_aside_days: Days = 30.0
    disk_share: Share = 0.9


@dataclass(frozen=True, config=_STRICT)
class Watch:
    """[[watch]]: a folder into which files, folders or zip archives are dropped.

    Args:
        name: unique; exams that came so have the source "folder:NAME".
        folder: where things are dropped.
        taken_folder: where they are moved to when all their images are in the inbox; on the same file system.
        stable_s: a thing that did not change for so long is complete. Ours.
    """

    name: Name
    folder: SitePath
    taken_folder: SitePath
    stable_s: Positive = 10.0

    def __post_init__(self) -> None:
        if self.taken_folder.is_relative_to(self.folder):
            raise ValueError("taken_folder must not lie in folder")


@dataclass(frozen=True, config=_STRICT)
class SiteConfig:
    """The whole file."""

    node: Node
    callers: tuple[Caller, ...] = ()
    limits: Limits = Limits()
    completeness: Completeness = Completeness()
    readers: Readers = Readers()
    order: Order = Order()
    destinations: tuple[Destination, ...] = ()
    listeners: tuple[Listener, ...] = ()
    http: Http | None = None
    retention: Retention = Retention()
    watch: tuple[Watch, ...] = ()

    def __post_init__(self) -> None:
        for key in ("destinations", "listeners", "watch"):
            names = [item.name for item in getattr(self, key)]
            if len(set(names)) != len(names):
                raise ValueError(f"two of {key} have the same name")


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
