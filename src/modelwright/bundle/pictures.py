"""Images: told apart from what is none, decoded within limits, and named by their content.

Training (from files) and serving (from requests) decode here, so a picture means the same in both.
Pillow is imported when the first picture is decoded, so a server without image columns needs none.

::

    bytes ─▶ size in bytes ─▶ kind by its first bytes ─▶ size in pixels (header) ─▶ decode ─▶ upright RGB
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelwright.errors import MissingExtra

if TYPE_CHECKING:
    from PIL import Image

MOST_BYTES = 10 << 20
"""Bytes of one encoded image."""

MOST_PIXELS = 25_000_000
"""Width times height that is decoded at all: what it costs is known before the first pixel is."""

WORKING_SIDE = 512
"""Longest side an image is kept with, once decoded; no encoder here looks closer."""

Fit = Literal["pad", "stretch", "crop"]
"""How a picture comes to an encoder's size: white borders, its shape given up, or its middle."""

_KINDS: tuple[tuple[str, str, re.Pattern[bytes]], ...] = (
    ("JPEG", "image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("PNG", "image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("GIF", "image/gif", re.compile(rb"GIF8[79]a")),
    ("WEBP", "image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("BMP", "image/bmp", re.compile(rb"BM")),
    ("TIFF", "image/tiff", re.compile(rb"II\*\0|MM\0\*")),
)
KINDS_IN_WORDS = "JPEG, PNG, GIF, WebP, BMP or TIFF"
_EXTENSIONS = {media: f".{media.partition('/')[2].replace('jpeg', 'jpg')}" for _, media, _ in _KINDS}
_UNKNOWN = "application/octet-stream"
_REFERENCE = re.compile(r"image:sha256=[0-9a-f]{64};bytes=\d+;type=[a-z/-]+")
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
_SPACE = re.compile(r"\s+")
_MEBI = 1 << 20


class PictureInvalid(ValueError):
    """Bytes that are no picture we take.

    Attributes:
        msg: What is wrong, in words.
        kind: A stable word for programs.
    """

    def __init__(self, msg: str, kind: str) -> None:
        super().__init__(msg)
        self.msg = msg
        self.kind = kind


class Picture(str):
    """An image column's cell: as a string the name of its content, and the way to its pixels.

    Equal content has an equal name wherever it came from, so duplicates, fingerprints and the
    prediction log speak of pictures as they do of words.

    Attributes:
        size: Bytes of the encoded image.
        features: What encoders made of it, by encoder; training asks for each several times.
    """

    __slots__ = ("_image", "_path", "features", "size")

    features: dict[str, np.ndarray]
    size: int
    _image: Image.Image | None
    _path: Path | None

    @classmethod
    def sent(cls, data: bytes) -> Picture:
        """The picture in ``data``, decoded at once.

        Raises:
            PictureInvalid: It is none, or beyond the limits.
            MissingExtra: Pillow is not installed.
        """
        return cls._of(data, decode(data), None)

    @classmethod
    def stored(cls, path: Path) -> Picture:
        """The picture in a file, tried out; decoded again when an encoder asks for it, and not kept.

        Raises:
            OSError: The file cannot be read.
            PictureInvalid: It is none, or beyond the limits.
            MissingExtra: Pillow is not installed.
        """
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        decode(data)
        return cls._of(data, None, path)

    @property
    def path(self) -> Path | None:
        """The file that it lies in, if it was not sent."""
        return self._path

    @classmethod
    def known(cls, name: str, features: dict[str, np.ndarray]) -> Picture:
        """A picture of which only its name and what encoders made of it is there."""
        picture = cls(name)
        picture._image = picture._path = None
        picture.size = 0
        picture.features = features
        return picture

    @property
    def image(self) -> Image.Image:
        """The picture itself: upright, RGB, at most ``WORKING_SIDE`` pixels a side.

        Raises:
            PictureInvalid: A file that is no picture after all.
            OSError: A file that is gone.
        """
        return self._image if self._image is not None else decode(self.data())

    def altered(self, image: Image.Image) -> Picture:
        """Another picture in its place, which no encoder has seen."""
        picture = Picture.known(str(self), {})
        picture._image = image
        return picture

    def data(self) -> bytes:
        """The encoded image itself, of a picture that lies in a file.

        Raises:
            OSError: It is gone.
        """
        assert self._path is not None  # noqa: S101 - the caller made it from a file
        return self._path.read_bytes()

    @classmethod
    def _of(cls, data: bytes, image: Image.Image | None, path: Path | None) -> Picture:
        picture = cls(reference(data))
        picture._image = image
        picture._path = path
        picture.size = len(data)
        picture.features = {}
        return picture

    def pixels(self, height: int, width: int, fit: Fit) -> np.ndarray:
        """The picture as uint8 [height, width, 3], RGB.

        Raises:
            PictureInvalid: A file that is no picture after all.
            OSError: A file that is gone.
        """
        return fitted(self.image, height, width, fit)


def reference(data: bytes) -> str:
    """The name of some content: its SHA-256, size and kind; what the prediction log keeps of an image."""
    return f"image:sha256={sha256_of(data)};bytes={len(data)};type={_media_type(data)}"


def sha256_of(data: bytes) -> str:
    """The SHA-256 of some content, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def extension(data: bytes) -> str:
    """What a file of some image's kind is called at its end, with the dot."""
    return _EXTENSIONS.get(_media_type(data), "")


def blank() -> Picture:
    """A white picture of one pixel, for trying an encoder out."""
    return Picture.sent(base64.b64decode(_PIXEL))


def is_reference(value: object) -> bool:
    """Whether ``value`` is such a name and no image itself."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def image_bytes(text: str) -> bytes:
    """The bytes of an image sent as base64 or as a data URL (RFC 2397).

    Raises:
        PictureInvalid: It is neither, or beyond the limit; decided before anything is decoded.
    """
    found = _DATA_URL.match(text)
    if found is None and text[:5].lower() == "data:":
        raise PictureInvalid("expected a data URL like data:image/jpeg;base64,…", "image_base64")
    start = found.end() if found else 0
    # base64 takes 4 characters for 3 bytes; what is plainly too long is not even copied.
    _check_size((len(text) - start) * 3 // 4 - 2)
    body = text[start:]
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:
        return base64.b64decode(_SPACE.sub("", body), validate=True)
    except (binascii.Error, ValueError):
        raise PictureInvalid(
            "expected an image as base64 or a data URL, and this is not base64", "image_base64"
        ) from None


def data_url(data: bytes) -> str:
    """An image as text that says what it is."""
    return f"data:{_media_type(data)};base64,{base64.b64encode(data).decode('ascii')}"


def _media_type(data: bytes) -> str:
    return next((media for _, media, magic in _KINDS if magic.match(data)), _UNKNOWN)


def decode(data: bytes) -> Image.Image:
    """The first frame of an encoded image: upright, RGB of 8 bits, on white, at most 512 pixels a side.

    Raises:
        PictureInvalid: It is no image, a damaged one, or beyond the limits.
        MissingExtra: Pillow is not installed.
    """
    _check_size(len(data))
    name = _format_of(data)
    pillow = needs_pillow()
    try:
        return _decoded(pillow, data, name)
    except PictureInvalid:
        raise
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning):
        raise PictureInvalid(f"the image has more than {MOST_PIXELS:,} pixels", "image_pixels") from None
    # Damaged files make Pillow's readers raise what they please; none of it is a fault of ours.
    except Exception as error:
        said = str(error).partition("\n")[0][:100]
        raise PictureInvalid(f"the {name} image is truncated or damaged ({said})", "image_damaged") from None


def fitted(image: Image.Image, height: int, width: int, fit: Fit) -> np.ndarray:
    """``image`` as uint8 [height, width, 3]."""
    from PIL import Image, ImageOps

    bilinear = Image.Resampling.BILINEAR
    if fit == "pad":
        image = ImageOps.pad(image, (width, height), bilinear, color=(255, 255, 255))
    elif fit == "crop":
        image = ImageOps.fit(image, (width, height), bilinear)
    else:
        image = image.resize((width, height), bilinear)
    return np.asarray(image, dtype=np.uint8)


def needs_pillow() -> Any:
    """Pillow's main module.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "PIL":
            raise
        raise MissingExtra("pillow", "images") from error
    return Image


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise PictureInvalid(f"the image has more than {MOST_BYTES // _MEBI} MiB", "image_bytes")


def _format_of(data: bytes) -> str:
    """Pillow's name of the format, by the first bytes: what a file or a client calls it says nothing."""
    for name, _, magic in _KINDS:
        if magic.match(data):
            return name
    raise PictureInvalid(
        f"expected an image ({KINDS_IN_WORDS}), and these {len(data):,} bytes are none", "image_type"
    )


def _decoded(pillow: Any, data: bytes, name: str) -> Image.Image:
    from PIL import ImageOps

    with pillow.open(io.BytesIO(data), formats=[name]) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise PictureInvalid(
                f"the image has {width} by {height} pixels, more than {MOST_PIXELS:,}", "image_pixels"
            )
        # A JPEG decodes at an eighth of the cost at a half of the size; others ignore this.
        image.draft(None, (WORKING_SIDE, WORKING_SIDE))
        image.load()
        try:
            upright = ImageOps.exif_transpose(image)
        # An unreadable note on how the camera was held is no reason to refuse the picture.
        except Exception:
            upright = image.copy()
    rgb: Image.Image = _rgb(pillow, upright)
    rgb.thumbnail((WORKING_SIDE, WORKING_SIDE), pillow.Resampling.BILINEAR)
    return rgb


def _rgb(pillow: Any, image: Any) -> Any:
    """``image`` as RGB: 16 bits scaled down, what is transparent put on white."""
    if image.mode.startswith("I") or image.mode == "F":
        deep = np.asarray(image, dtype=np.float64)
        # 16-bit grey comes as I;16, or as I with the same values.
        scale = 255.0 / 65535.0 if image.mode != "F" else 255.0
        return pillow.fromarray(np.clip(deep * scale, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        whole = image.convert("RGBA")
        white = pillow.new("RGBA", whole.size, (255, 255, 255, 255))
        return pillow.alpha_composite(white, whole).convert("RGB")
    return image.convert("RGB")
