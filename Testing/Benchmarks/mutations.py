"""Spoils DICOM files and recorded associations, reproducibly from a seed: broken bytes and hostile values."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset

# What an attacker would try in a header; names as pydicom has them. Every value is one that its VR's bytes can hold.
HOSTILE_VALUES: tuple[tuple[str, str, bytes], ...] = (
    ("Rows", "US", struct.pack("<H", 65535)),
    ("Rows", "US", struct.pack("<H", 0)),
    ("Columns", "US", struct.pack("<H", 65535)),
    ("NumberOfFrames", "IS", b"2147483647"),
    ("NumberOfFrames", "IS", b"-1"),
    ("NumberOfFrames", "IS", b"1e999 "),
    ("SamplesPerPixel", "US", struct.pack("<H", 255)),
    ("BitsAllocated", "US", struct.pack("<H", 0)),
    ("BitsAllocated", "US", struct.pack("<H", 64)),
    ("BitsStored", "US", struct.pack("<H", 65535)),
    ("PhotometricInterpretation", "CS", b"PALETTE COLOR "),
    ("PixelSpacing", "DS", b"0\\0 "),
    ("PixelSpacing", "DS", b"nan\\inf "),
    ("PixelSpacing", "DS", b"1e-300\\1e300"),
    ("SliceThickness", "DS", b"-5"),
    ("ImagePositionPatient", "DS", b"1e308\\-1e308\\nan "),
    ("ImagePositionPatient", "DS", b"0\\0 "),
    ("ImageOrientationPatient", "DS", b"0\\0\\0\\0\\0\\0 "),
    ("RescaleSlope", "DS", b"1e308 "),
    ("RescaleIntercept", "DS", b"not a number"),
    ("StudyInstanceUID", "UI", b"../../../../tmp/out\0"),
    ("SOPInstanceUID", "UI", b"/etc/passwd\0"),
    ("SOPInstanceUID", "UI", b"1.2\0../../x"),
    ("SeriesInstanceUID", "UI", b"1" * 65534),
    ("SOPInstanceUID", "UI", b""),
    ("PatientName", "PN", b"<script>alert(1)</script>^\x1b[31m"),
    ("PatientName", "PN", b"A" * 65534),
    ("PatientName", "PN", b"^".join([b"A="] * 20000)),
    ("PatientID", "LO", b"1\r\nX-Injected: yes "),
    ("SeriesDescription", "LO", b"{{ 7*7 }}%s%n\x00\x07"),
    ("SpecificCharacterSet", "CS", b"ISO 2022 IR 87\\ISO 2022 IR 666\\\\GB18030 "),
    ("SpecificCharacterSet", "CS", b"\\" * 30000),
    ("StudyDate", "DA", b"99999999"),
    ("InstanceNumber", "IS", b"9" * 4000),
    ("ImageType", "CS", b"\\" * 65534),
    ("Modality", "CS", b"\xff\xfe"),
)
DEPTHS = (10, 100, 1000, 20_000)  # of sequences in sequences; Python gives up at a thousand calls
SEQUENCE_TAG = struct.pack("<HH", 0x0008, 0x1140)  # Referenced Image Sequence
ITEM_TAG = struct.pack("<HH", 0xFFFE, 0xE000)
UNDEFINED = b"\xff\xff\xff\xff"
LENGTHS = (0, 1, 0x7F, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)

Mutation = Callable[[random.Random, bytes], bytes]


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Some bits turned, most of them near the beginning, where the header is."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        place = _place(rng, data)
        out[place] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut(rng: random.Random, data: bytes) -> bytes:
    """An end that is missing."""
    return data[: _place(rng, data)]


def without_a_piece(rng: random.Random, data: bytes) -> bytes:
    """A piece in the middle that is missing."""
    place = _place(rng, data)
    return data[:place] + data[place + rng.randrange(1, 64) :]


def with_a_piece_twice(rng: random.Random, data: bytes) -> bytes:
    """A piece that stands there many times."""
    place = _place(rng, data)
    return data[:place] + data[place : place + rng.randrange(1, 256)] * rng.choice((2, 3, 50)) + data[place:]


def with_noise(rng: random.Random, data: bytes) -> bytes:
    """Random bytes put in, or over what was there."""
    place, noise = _place(rng, data), rng.randbytes(rng.randrange(1, 200))
    return data[:place] + noise + data[place + rng.choice((0, len(noise))) :]


def with_a_wrong_length(rng: random.Random, data: bytes) -> bytes:
    """Two or four bytes that become a length which is not true, or never ends."""
    place, length = _place(rng, data), rng.choice(LENGTHS)
    value = struct.pack("<I", length) if rng.random() < 0.5 else struct.pack(">I", length)
    value = value[: rng.choice((2, 4))]
    return data[:place] + value + data[place + len(value) :]


BYTE_MUTATIONS: tuple[Mutation, ...] = (
    *(flipped, cut, without_a_piece, with_a_piece_twice, with_noise, with_a_wrong_length),
)


def with_a_hostile_value(rng: random.Random, data: bytes) -> bytes:
    """A valid file with one value of HOSTILE_VALUES."""
    keyword, vr, value = rng.choice(HOSTILE_VALUES)
    dataset = dcmread(io.BytesIO(data))
    stream = io.BytesIO()
    meta = dataset.file_meta
    if keyword in dataset:
        del dataset[keyword]
    dcmwrite(stream, dataset, enforce_file_format=True)
    return _with_element(stream.getvalue(), _tag(keyword), vr, value, int(meta.FileMetaInformationGroupLength))


def with_deep_sequences(rng: random.Random, data: bytes) -> bytes:
    """Sequences in sequences, closed or not."""
    depth = rng.choice(DEPTHS)
    nest = (SEQUENCE_TAG + b"SQ\0\0" + UNDEFINED + ITEM_TAG + UNDEFINED) * depth
    if rng.random() < 0.5:
        nest += (struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)) * depth
    start = _body(data)
    return data[:start] + nest + data[start:]


def with_another_syntax(rng: random.Random, data: bytes) -> bytes:
    """A file whose pixels or elements are not encoded as it says."""
    dataset = dcmread(io.BytesIO(data))
    said = str(dataset.file_meta.TransferSyntaxUID).encode()
    others = [b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.5"]
    other = rng.choice([item for item in (*others, b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99") if item != said])
    return data.replace(said, other[: len(said)].ljust(len(said), b"\0"), 1)


FILE_MUTATIONS: tuple[Mutation, ...] = (
    *BYTE_MUTATIONS,
    *(with_a_hostile_value, with_a_hostile_value, with_a_hostile_value, with_deep_sequences, with_another_syntax),
)


def mutated_file(rng: random.Random, data: bytes) -> tuple[str, bytes]:
    """The name of a mutation, and what it makes of a valid DICOM file."""
    mutation = rng.choice(FILE_MUTATIONS)
    return mutation.__name__, mutation(rng, data)


def mutated_association(rng: random.Random, messages: list[bytes]) -> tuple[str, list[bytes]]:
    """The same for the messages (PDUs) that a caller sends, in their order."""
    out = list(messages)
    number = rng.randrange(len(out))
    kind = rng.choice(("dropped", "doubled", "shuffled", "flooded", *(["spoiled"] * 8)))
    if kind == "dropped":
        del out[number]
    elif kind == "doubled":
        out.insert(number, out[number])
    elif kind == "shuffled":
        rng.shuffle(out)
    elif kind == "flooded":
        out[number:number] = [rng.randbytes(rng.randrange(1, 4096)) for _ in range(20)]
    else:
        mutation = rng.choice(BYTE_MUTATIONS)
        out[number] = mutation(rng, out[number])
        kind = mutation.__name__
    return kind, out or [b""]


def _place(rng: random.Random, data: bytes) -> int:
    """Somewhere; half of the time in the first tenth."""
    size = max(1, len(data) // 10 if rng.random() < 0.5 else len(data))
    return rng.randrange(min(size, len(data)) or 1)


def _body(data: bytes) -> int:
    """Where the data set of a file begins: after preamble, prefix and file meta information."""
    return 132 + 12 + int(struct.unpack_from("<I", data, 140)[0])


def _tag(keyword: str) -> tuple[int, int]:
    element = Dataset()
    setattr(element, keyword, None)
    (tag,) = element.keys()
    return tag.group, tag.element


def _with_element(data: bytes, tag: tuple[int, int], vr: str, value: bytes, meta_length: int) -> bytes:
    """An element of a short VR put at the beginning of a file's data set, whatever its value."""
    value += b"\0" * (len(value) % 2)
    start = 132 + 12 + meta_length
    return data[:start] + struct.pack("<HH2sH", *tag, vr.encode(), len(value)) + value + data[start:]
