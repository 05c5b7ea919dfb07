"""Images are decoded safely, and the same wherever they come from."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modelwright.bundle.pictures import (
    MOST_BYTES,
    WORKING_SIDE,
    Picture,
    PictureInvalid,
    blank,
    data_url,
    decode,
    image_bytes,
    is_reference,
    reference,
)

RED, GREEN = (220, 30, 20), (20, 200, 40)


def halves(width: int = 40, height: int = 20) -> Image.Image:
    """A picture that is red on the left and green on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """An image as bytes."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and little more."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def left_and_right(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours of the two halves."""
    pixels = np.asarray(image, dtype=float)
    middle = pixels.shape[1] // 2
    return pixels[:, : middle - 2].mean((0, 1)), pixels[:, middle + 2 :].mean((0, 1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_every_kind_is_decoded_to_the_same_colours(kind: str) -> None:
    """Each format that is taken gives an RGB picture of its colours."""
    image = decode(encoded(halves(), kind))
    left, right = left_and_right(image)
    assert image.mode == "RGB" and image.size == (40, 20)
    assert np.abs(left - RED).max() < 12 and np.abs(right - GREEN).max() < 12


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16", "F"])
def test_other_modes_become_rgb(mode: str) -> None:
    """Grey, palette, transparent, one-bit, 16-bit and float images are all pictures."""
    if mode == "I;16":
        source = Image.fromarray(np.full((8, 8), 32896, dtype=np.uint16))
    elif mode == "F":
        source = Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32))
    else:
        source = Image.new("RGB", (8, 8), (128, 128, 128)).convert(mode)
    image = decode(encoded(source, "TIFF" if mode == "F" else "PNG"))
    assert image.mode == "RGB"
    if mode not in {"1", "P"}:  # these have dots of two colours, as the test's own converter dithers
        assert np.abs(np.asarray(image, dtype=float) - 128).max() <= 2


def test_cmyk_is_converted() -> None:
    """A printer's JPEG has the colours of a screen's."""
    left, right = left_and_right(decode(encoded(halves().convert("CMYK"), "JPEG", quality=95)))
    assert np.abs(left - RED).max() < 30 and np.abs(right - GREEN).max() < 30


def test_what_is_transparent_is_white() -> None:
    """Invisible pixels do not show what colour they were painted."""
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert np.asarray(decode(encoded(clear))).min() == 255
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30] * 256)
    assert np.asarray(decode(encoded(palette, "GIF", transparency=0))).min() == 255


def test_a_turned_camera_does_not_turn_the_picture() -> None:
    """EXIF's orientation is applied: what was shot upside down is upright."""
    exif = Image.Exif()
    exif[0x0112] = 3
    left, right = left_and_right(decode(encoded(halves(), "JPEG", exif=exif, quality=95)))
    assert np.abs(left - GREEN).max() < 12 and np.abs(right - RED).max() < 12


def test_the_first_frame_stands_for_an_animation() -> None:
    """Of moving pictures the first frame is taken."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.abs(np.asarray(decode(moving), dtype=float) - RED).max() < 12


def test_large_pictures_are_kept_small() -> None:
    """No more pixels are held than an encoder could look at."""
    image = decode(encoded(halves(3000, 1500), "JPEG"))
    assert max(image.size) == WORKING_SIDE


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", "image_type", "these 0 bytes are none"),
        (b"<svg onload='x()'/>", "image_type", "JPEG, PNG"),
        (b"%PDF-1.4 ...", "image_type", "none"),
        (encoded(halves(), "JPEG")[:-300], "image_damaged", "truncated"),
        (encoded(halves(), "PNG")[:50], "image_damaged", "PNG image is truncated or damaged"),
        (b"BM" + b"\0" * 60, "image_damaged", "BMP"),
        (b"\xff\xd8\xff\xe0 no more", "image_damaged", "JPEG"),
        (png_header(6000, 6000), "image_pixels", "6000 by 6000 pixels"),
        (png_header(40000, 40000), "image_pixels", "more than 25,000,000 pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * MOST_BYTES, "image_bytes", "10 MiB"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(data: bytes, kind: str, words: str) -> None:
    """Other files, damaged ones and bombs are told apart, and bombs are not decoded."""
    with pytest.raises(PictureInvalid) as refused:
        decode(data)
    assert refused.value.kind == kind
    assert words in refused.value.msg


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"])
)
def test_no_bytes_break_the_decoder(tail: bytes, head: bytes) -> None:
    """Whatever is sent is a picture or is refused; nothing else is raised."""
    try:
        assert decode(head + tail).mode == "RGB"
    except PictureInvalid as refused:
        assert refused.msg and refused.kind.startswith("image_")


@given(st.binary(min_size=1, max_size=300))
def test_base64_and_data_urls_carry_any_bytes(data: bytes) -> None:
    """Both spellings, also broken into lines, give back the bytes."""
    plain = base64.b64encode(data).decode()
    lines = "\n".join(plain[start : start + 20] for start in range(0, len(plain), 20))
    assert image_bytes(plain) == image_bytes(lines) == image_bytes(data_url(data)) == data


@pytest.mark.parametrize("text", ["images/shoe.jpg", "data:image/png,abc", "päckchen", "abc", "/etc/passwd"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    """A path or any other text is no image: nothing is read from the server's disk."""
    with pytest.raises(PictureInvalid) as refused:
        Picture.sent(image_bytes(text))
    assert refused.value.kind in {"image_base64", "image_type"}


def test_a_file_and_a_request_give_one_picture(tmp_path: Path) -> None:
    """The same bytes have the same name and the same pixels, from a file as from a request."""
    data = encoded(halves(), "JPEG")
    (tmp_path / "a.jpg").write_bytes(data)
    stored, sent = Picture.stored(tmp_path / "a.jpg"), Picture.sent(data)
    assert stored == sent == reference(data) and is_reference(str(stored))
    for fit in ("pad", "stretch", "crop"):
        one, other = stored.pixels(24, 32, fit), sent.pixels(24, 32, fit)
        assert one.shape == (24, 32, 3) and one.dtype == np.uint8
        np.testing.assert_array_equal(one, other)


def test_padding_keeps_the_shape_and_is_white() -> None:
    """A wide picture gets white above and below."""
    pixels = Picture.sent(encoded(halves())).pixels(96, 96, "pad")
    assert (pixels[:20] == 255).all() and (pixels[-20:] == 255).all() and (pixels[48, 5] != 255).any()


def test_the_blank_picture_is_one_white_pixel() -> None:
    """What encoders are tried out with is a picture itself."""
    assert (blank().pixels(2, 2, "stretch") == 255).all()
