"""Odd and damaged picture files, each with its exact outcome."""

import struct
import zlib
from contextlib import suppress
from fnmatch import fnmatchcase as fnmatch

import numpy as np
import pytest
from picture_samples import chunk, encoded, flipped_byte, photo, plain, png, ramp, turned
from PIL import Image, ImageCms

from ganctl.data.pictures import MAX_PIXELS, Frame, Unreadable, accepted, decode

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
SIXTEEN = Frame((16, 16))
WHOLE_PNG, WHOLE_JPEG = encoded(photo()), encoded(photo(), "JPEG")
TEXT_BOMB = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(2**27), 9))

UNREADABLE = {
    "24 zero length": (b"", "empty"),
    "25 text as png": (b"hello, I am no picture\n" * 9, "not a picture of a known format"),
    "26 HTML as jpg": (b"\n<!DOCTYPE html><html><body>404</body></html>", "a web page"),
    "27 Git LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "a Git LFS pointer, not the picture; run `git lfs pull`",
    ),
    "28 truncated JPEG": (WHOLE_JPEG[: len(WHOLE_JPEG) // 2], "cut off: the file ends too early"),
    "29 truncated PNG": (WHOLE_PNG[: len(WHOLE_PNG) // 2], "cut off: the file ends too early"),
    "30 flipped byte PNG": (flipped_byte(WHOLE_PNG), "damaged (*)"),
    "32 bad CRC": (png(8, 8, header_crc=1), "damaged at its beginning"),
    "33 header 2^31 x 2^31": (png(2**31 - 1, 2**31 - 1, rows=b""), "more than 67 million pixels"),
    "34 bomb of 182 megapixels": (png(14000, 13000), "more than 67 million pixels"),
    "35 bomb of 100 megapixels": (png(10000, 10000), "10000x10000 pixels; at most 67 million"),
    "36 text bomb": (png(8, 8, TEXT_BOMB), "damaged (*MAX_TEXT_CHUNK*)"),
    "37 SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
    "37 XML": (b'<?xml version="1.0"?><svg/>', "an SVG drawing or other XML"),
    "38 PDF": (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
    "EPS, for which Pillow would start Ghostscript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "not a picture of a known format",
    ),
    "46 float with NaN": (encoded(ramp("float32", np.nan), "TIFF"), "has values that are not finite"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_files_say_why(name: str) -> None:
    data, reason = UNREADABLE[name]
    with pytest.raises(Unreadable) as caught:
        decode(data, SIXTEEN)
    assert fnmatch(str(caught.value), reason)  # Pillow's own words, which change, stand as *


def foreign_profile() -> bytes:
    """A whole profile that does not fit a grey picture."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()


def palette(transparent: bool) -> bytes:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    return encoded(image, transparency=1) if transparent else encoded(image)


ORANGE, WHITE = (200, 100, 50), (255, 255, 255)
CONVERTED = {  # file -> the colour of every pixel (give or take 3) and what is told
    "40 png called jpg": (encoded(plain()), ORANGE, set()),
    "39 polyglot": (encoded(plain()) + b"PK\x03\x04 and more", ORANGE, set()),
    "41 CMYK": (encoded(plain((0, 255, 255, 0), mode="CMYK"), "TIFF"), (255, 0, 0), {"converted from CMYK"}),
    "42 inverted Adobe CMYK": (
        encoded(plain((0, 255, 255, 0), mode="CMYK"), "JPEG", quality=100),
        (255, 0, 0),
        {"converted from CMYK"},
    ),
    "47 palette": (palette(False), ORANGE, set()),
    "48 palette with transparency": (palette(True), WHITE, {"transparency laid over white"}),
    "49 RGBA": (
        encoded(plain((0, 0, 0, 51), mode="RGBA")),  # 20 % black over white: 0.8 * 255 = 204
        (204, 204, 204),
        {"transparency laid over white"},
    ),
    "49 RGBA, opaque": (encoded(plain((*ORANGE, 255), mode="RGBA")), ORANGE, set()),
    "50 LA": (encoded(plain((0, 0), mode="LA")), WHITE, {"transparency laid over white"}),
    "51 1-bit": (encoded(plain(1, mode="1")), WHITE, set()),
    "52 YCbCr TIFF": (encoded(plain().convert("YCbCr"), "TIFF"), ORANGE, set()),
    "52 LAB TIFF": (encoded(plain((255, 128, 128), mode="LAB"), "TIFF"), WHITE, set()),
    "grey with a transparent value": (
        encoded(plain(7, mode="L"), transparency=7),
        WHITE,
        {"transparency laid over white"},
    ),
    "55 animated GIF": (
        encoded(plain(), "GIF", save_all=True, append_images=[plain("blue")]),
        ORANGE,
        {"of several frames the first taken"},
    ),
    "55 animated WebP": (
        encoded(plain(), "WEBP", save_all=True, append_images=[plain("blue")], lossless=True),
        ORANGE,
        {"of several frames the first taken"},
    ),
    "55 APNG": (
        encoded(plain(), "PNG", save_all=True, append_images=[plain("blue")]),
        ORANGE,
        {"of several frames the first taken"},
    ),
    "56 multi-page TIFF": (
        encoded(plain(), "TIFF", save_all=True, append_images=[plain("blue")]),
        ORANGE,
        {"of several frames the first taken"},
    ),
    "57 1x1": (encoded(plain(size=(1, 1))), ORANGE, {"enlarged"}),
    "58 1x5000": (encoded(plain(size=(1, 5000))), ORANGE, {"enlarged"}),
    "60 constant": (encoded(plain("white")), WHITE, set()),
    "broken colour profile": (encoded(plain(), icc_profile=b"no profile at all"), ORANGE, set()),
    "profile of another kind of picture": (
        encoded(plain(mode="L", colour=80), icc_profile=foreign_profile()),
        (80,) * 3,
        set(),
    ),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_odd_pictures_are_converted_and_told(name: str) -> None:
    data, colour, told = CONVERTED[name]
    pixels, done = decode(data, SIXTEEN)
    assert pixels.shape == (16, 16, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - colour).max() <= 3
    assert done == told


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("43 I;16", encoded(ramp("uint16", 65535)), "16-bit"),
        ("43 I;16 TIFF", encoded(ramp("uint16", 65535), "TIFF"), "16-bit"),
        ("44 I;16B", None, "16-bit"),
        ("45 I of 16 bits", encoded(ramp("int32", 65535), "TIFF"), "32-bit"),
        ("45 I of 31 bits", encoded(ramp("int32", 2**31 - 1), "TIFF"), "32-bit"),
        ("46 F to 1", encoded(ramp("float32", 1), "TIFF"), "32-bit"),
        ("46 F to 255", encoded(ramp("float32", 255), "TIFF"), "32-bit"),
        ("46 F to 1e6", encoded(ramp("float32", 1e6), "TIFF"), "32-bit"),
    ],
)
def test_deep_grey_is_scaled_not_saturated(name: str, data: bytes | None, told: str) -> None:
    """A ramp from black to white over 256 columns must come out as 0, 1, 2 ... 255, whatever its depth."""
    data = data or big_endian_tiff()
    pixels, done = decode(data, Frame((4, 256), channels=1))
    assert np.abs(pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1
    assert done == {f"{told} grey scaled to 8 bits"}


def big_endian_tiff() -> bytes:
    """The 16-bit ramp as Motorola wrote numbers; Pillow reads this form and does not write it."""
    values = np.tile(np.linspace(0, 65535, 256), (4, 1)).astype(">u2").tobytes()
    fields = [(256, 3, 256), (257, 3, 4), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 3, 4)]
    fields.append((279, 4, len(values)))
    directory = struct.pack(">H", len(fields))
    for tag, kind, value in fields:
        directory += struct.pack(">HHI", tag, kind, 1) + struct.pack(
            ">HH" if kind == 3 else ">I", *((value, 0) if kind == 3 else (value,))
        )
    return b"MM\0*" + struct.pack(">I", 8 + len(values)) + values + directory + bytes(4)


def test_a_dark_sixteen_bit_picture_stays_dark() -> None:
    """Half of 16 bits is half of 8 bits: scaled by the depth, not by the picture's own brightest pixel."""
    pixels, _ = decode(encoded(ramp("uint16", 32767)), Frame((4, 256), channels=1))
    assert pixels.max() == 127


def test_a_flipped_byte_in_a_jpeg_cannot_be_seen() -> None:
    """31: JPEG has no checksum; what matters is that the cache is keyed by content."""
    pixels, _ = decode(flipped_byte(WHOLE_JPEG, 0.8), SIXTEEN)
    assert pixels.shape == (16, 16, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """54: a picture that is red above and blue below, stored turned, comes out red above."""
    upright = plain("red", (32, 32))
    upright.paste("blue", (0, 16, 32, 32))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    pixels, done = decode(turned(orientation, stored), Frame((32, 32)))
    assert pixels[4, 16].tolist() == pytest.approx([254, 0, 0], abs=3)
    assert pixels[28, 16].tolist() == pytest.approx([0, 0, 254], abs=3)
    assert done == (set() if orientation == 1 else {"turned upright as EXIF says"})


def test_broken_exif_says_nothing() -> None:
    pixels, done = decode(
        encoded(plain(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage", quality=100), SIXTEEN
    )
    assert np.abs(pixels.astype(int) - ORANGE).max() <= 3
    assert done == frozenset()


def test_hidden_colour_does_not_bleed_from_transparent_pixels() -> None:
    """Transparent green beside opaque red, resized over white: no pixel may be greener than it is white."""
    image = plain((255, 0, 0, 255), (64, 64), "RGBA")
    image.paste((0, 255, 0, 0), (0, 0, 32, 64))
    pixels, _ = decode(encoded(image), Frame((15, 15)))
    red, green, blue = (pixels[..., channel].astype(int) for channel in range(3))
    assert (np.abs(green - blue) <= 2).all()
    assert (red >= 250).all()


@pytest.mark.parametrize(
    ("channels", "background", "expected"),
    [
        (1, "white", [255]),
        (1, "black", [0]),
        (3, "#20a0ff", [0x20, 0xA0, 0xFF]),
        (4, "white", [0, 0, 0, 0]),
    ],
)
def test_transparency_by_channels(channels: int, background: str, expected: list[int]) -> None:
    pixels, _ = decode(
        encoded(plain((0, 0, 0, 0), mode="RGBA")), Frame((8, 8), channels=channels, background=background)
    )
    assert pixels[3, 3].tolist() == expected


def test_pictures_without_alpha_become_opaque() -> None:
    assert decode(encoded(plain()), Frame((4, 4), channels=4))[0][0, 0].tolist() == [*ORANGE, 255]


def test_a_colour_profile_is_applied() -> None:
    """53: swapping red and green in the profile's primaries must show; an sRGB profile must change nothing."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels, done = decode(encoded(plain(), icc_profile=srgb), SIXTEEN)
    assert pixels[0, 0].tolist() == list(ORANGE)
    assert done == frozenset()
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    swapped = swapped.replace(b"sRGB", b"Rgbs").replace("sRGB".encode("utf-16-be"), "Rgbs".encode("utf-16-be"))
    pixels, done = decode(encoded(plain("red"), icc_profile=swapped), SIXTEEN)
    assert np.abs(pixels[0, 0].astype(int) - (0, 255, 0)).max() <= 3
    assert done == {"converted to sRGB by the embedded profile"}


def halves(width: int, height: int) -> bytes:
    """Red left, blue right."""
    image = plain("red", (width, height))
    image.paste("blue", (width // 2, 0, width, height))
    return encoded(image)


def test_center_cuts_both_sides_alike() -> None:
    pixels, _ = decode(halves(80, 20), Frame((20, 20), crop="center"))
    assert pixels[10, 8].tolist() == [255, 0, 0]
    assert pixels[10, 11].tolist() == [0, 0, 255]


def test_none_stretches() -> None:
    pixels, _ = decode(halves(80, 20), Frame((40, 20), crop="none"))
    assert (pixels[:, :8] == (255, 0, 0)).all()
    assert (pixels[:, 12:] == (0, 0, 255)).all()


@pytest.mark.parametrize(("channels", "border"), [(3, [0, 128, 0]), (4, [0, 128, 0, 0]), (1, [75])])
def test_pad_fits_inside_the_background(channels: int, border: list[int]) -> None:
    """80 x 20 into 20 x 20: five rows of picture, from row 7 to 11; green is 0.587 * 128 = 75 as grey."""
    pixels, _ = decode(halves(80, 20), Frame((20, 20), crop="pad", channels=channels, background="green"))
    assert pixels[6, 3].tolist() == border
    assert pixels[12, 3].tolist() == border
    assert all(pixels[row, 3].tolist() != border for row in range(7, 12))


@pytest.mark.parametrize("size", [(100, 100), (96, 32), (1, 1), (28, 28)])
@pytest.mark.parametrize("crop", ["center", "pad", "none"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("given", [(64, 48), (1, 500), (333, 7)])
def test_any_size_becomes_any_other(size, crop, channels: int, given: tuple[int, int]) -> None:
    pixels, _ = decode(encoded(photo(given)), Frame(size, crop, channels))
    assert pixels.shape == (*size, channels)


def test_large_jpegs_are_reduced_while_decoding_and_look_the_same() -> None:
    image = photo((2000, 1500))
    reduced, _ = decode(encoded(image, "JPEG", quality=95), Frame((48, 64)))
    exact, _ = decode(encoded(image), Frame((48, 64)))
    assert np.abs(reduced.astype(int) - exact).max() <= 6


def test_memory_is_bounded_by_the_limit() -> None:
    assert MAX_PIXELS * 4 <= 300e6


def test_random_damage_never_escapes_as_another_error() -> None:
    """Every mutation is read, or refused in words."""
    chance = np.random.default_rng(0)
    forms = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "QOI")
    files = [encoded(photo((24, 16)), form) for form in forms]
    refused = 0
    for turn in range(900):
        data = bytearray(files[turn % len(files)])
        for place in chance.integers(0, len(data), 3):
            data[place] = chance.integers(0, 256)
        with suppress(Unreadable):
            pixels, _ = decode(bytes(data[: chance.integers(len(data) // 2, len(data) + 1)]), SIXTEEN)
            assert pixels.shape == (16, 16, 3)
            refused -= 1
        refused += 1
    assert refused > 300


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": (0, 4)}, r"size: \[0, 4\]; must be one number of pixels or \[height, width\], each 1 to 4096"),
        ({"channels": 2}, r"channels: 2; must be 1 \(grey\), 3 \(colour\) or 4 \(with alpha\)"),
        ({"crop": "centre"}, "crop: 'centre'; must be center, pad or none"),
        ({"background": "blurple"}, "background: 'blurple'; must be a colour such as white or #20a0ff"),
    ],
)
def test_impossible_frames_are_refused_in_words(settings, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        Frame(**{"size": (8, 8), **settings})


def test_accepted_formats_are_named() -> None:
    assert accepted().startswith("PNG, JPEG, ")
