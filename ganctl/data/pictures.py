"""One picture file to pixels: any mode, bit depth, format and size to uint8 of one shape."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageColor, ImageOps, UnidentifiedImageError

from ganctl.data.dataset import height_width

Crop = Literal["center", "pad", "none"]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # channels -> Pillow's mode
MAX_PIXELS = 2**26  # decoded at once; 268 MB with four channels
MAX_BYTES = 2**29  # of one file
# EPS, PDF and the like are left out on purpose: Pillow would start other programs for them.
WANTED = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "QOI")
Image.init()
FORMATS = tuple(name for name in WANTED if name in Image.OPEN)
SUFFIXES = frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS)
BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")  # of pictures
FOREIGN = {  # how files begin that people mistake for pictures
    b"version https://git-lfs": "a Git LFS pointer, not the picture; run `git lfs pull`",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<svg": "an SVG drawing",
    b"<?xml": "an SVG drawing or other XML",
    b"%pdf": "a PDF",
}


class Unreadable(Exception):
    """Why a file cannot become pixels, in a few words."""


@dataclass(frozen=True)
class Frame:
    """What every picture becomes. Raises ValueError in words."""

    size: tuple[int, int]  # height, width
    crop: Crop = "center"  # center: fill the frame, cut what hangs over; pad: fit inside; none: stretch
    channels: int = 3  # 1 grey, 3 colour, 4 colour with alpha
    background: str = "white"  # behind transparent pixels, and around padded pictures

    def __post_init__(self) -> None:
        height_width(self.size)
        if self.channels not in MODES:
            raise ValueError(f"channels: {self.channels}; must be 1 (grey), 3 (colour) or 4 (with alpha)")
        if self.crop not in ("center", "pad", "none"):
            raise ValueError(f"crop: {self.crop!r}; must be center, pad or none")
        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            raise ValueError(f"background: {self.background!r}; must be a colour such as white or #20a0ff") from None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, *self.size


def decode(data: bytes, frame: Frame) -> tuple[NDArray[np.uint8], frozenset[str]]:
    """The bytes of a file -> pixels [H, W, C] and what had to be done to them, in words. Raises Unreadable.

    Of animations and multi-page files the first picture is taken.
    """
    return read(data, lambda image, done: frame_pixels(image, frame, done))


def decode_whole(data: bytes, channels: int, background: str = "white") -> tuple[NDArray[np.uint8], frozenset[str]]:
    """As `decode`, at the picture's own size: `channels` and `background` as of a `Frame`."""
    return read(data, lambda image, done: whole_pixels(image, channels, background, done))


def read(
    data: bytes, pixels: Callable[[Image.Image, set[str]], Image.Image]
) -> tuple[NDArray[np.uint8], frozenset[str]]:
    """Open a file, make `pixels` of it; they come as [H, W, C], with what was done. Raises Unreadable."""
    done = set[str]()
    try:
        image = np.asarray(pixels(Image.open(BytesIO(data), formats=FORMATS), done))
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(foreign(data)) from None
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {MAX_PIXELS // 10**6} million pixels") from None
    except Exception as error:  # a damaged file makes Pillow raise almost anything
        raise Unreadable(damage(error)) from None
    return image.reshape(*image.shape[:2], -1), frozenset(done)


def frame_pixels(image: Image.Image, frame: Frame, done: set[str]) -> Image.Image:
    """An opened, not yet loaded picture in its frame."""
    room = 2 * max(frame.size)
    image.draft(None, (room, room))  # a large JPEG is decoded at a fraction of its size, still twice what is needed
    image, profile = loaded(image, done)
    image = resized(image, frame, done)
    image = colours(image, profile, done)
    image = in_channels(image, frame.channels, frame.background, done)
    return padded(image, frame) if frame.crop == "pad" else image


def whole_pixels(image: Image.Image, channels: int, background: str, done: set[str]) -> Image.Image:
    """An opened, not yet loaded picture at its own size."""
    image, profile = loaded(image, done)
    return in_channels(colours(image, profile, done), channels, background, done)


def loaded(image: Image.Image, done: set[str]) -> tuple[Image.Image, bytes | None]:
    """Decoded, upright, with eight bits a channel; and the colour profile it came with."""
    if getattr(image, "is_animated", False) and image.format != "MPO":  # phones add small previews to their JPEGs
        done.add("of several frames the first taken")
    if image.width * image.height > MAX_PIXELS:
        raise Unreadable(f"{image.width}x{image.height} pixels; at most {MAX_PIXELS // 10**6} million")
    image.load()
    profile = image.info.get("icc_profile")
    return eight_bits(upright(image, done), done), profile


def upright(image: Image.Image, done: set[str]) -> Image.Image:
    """Turned as EXIF says; broken EXIF says nothing."""
    try:
        turned = ImageOps.exif_transpose(image) if image.getexif().get(0x0112, 1) != 1 else image
    except (SyntaxError, ValueError, TypeError, OSError, struct.error, KeyError, IndexError, ZeroDivisionError):
        return image
    if turned is not image:
        done.add("turned upright as EXIF says")
    return turned


def eight_bits(image: Image.Image, done: set[str]) -> Image.Image:
    """One of the modes L, RGB, RGBA, CMYK; deep grey is scaled, which Pillow's own conversion would saturate."""
    if image.mode.startswith("I") or image.mode == "F":
        done.add(f"{'16-bit' if image.mode.startswith('I;16') else '32-bit'} grey scaled to 8 bits")
        return Image.fromarray(scaled(np.asarray(image), tops=(1, 255) if image.mode == "F" else (65535,)))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "LAB":
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), srgb, outputMode="RGB") or image
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def scaled(values: NDArray[Any], tops: tuple[int, ...]) -> NDArray[np.uint8]:
    """Deep grey to 0 .. 255: from 0 .. the first of `tops` that holds all values, else from their least and greatest.

    So integers within 0 .. 65535 are taken for 16-bit (divided by 257), floats for 0 .. 1 or 0 .. 255.
    """
    values = values.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise Unreadable("has values that are not finite")
    top = next((top for top in tops if low >= 0 and high <= top), None)
    base, span = (0.0, top) if top else (low, max(high - low, 1e-30))
    return np.rint((values - base) * (255 / span)).astype(np.uint8)


def resized(image: Image.Image, frame: Frame, done: set[str]) -> Image.Image:
    """To the size of the frame, or to fit within it where it will be padded; bicubic, antialiased."""
    height, width = frame.size
    box = middle(image.size, width / height if frame.crop == "center" else image.width / image.height)
    if frame.crop == "pad":
        scale = min(width / image.width, height / image.height)
        width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if box[2] - box[0] < width or box[3] - box[1] < height:
        done.add("enlarged")
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box)


def middle(size: tuple[int, int], aspect: float) -> tuple[float, float, float, float]:
    """The largest centred box of this aspect (width / height) within (width, height)."""
    width, height = size
    wide, high = min(float(width), height * aspect), min(float(height), width / aspect)
    return (width - wide) / 2, (height - high) / 2, (width + wide) / 2, (height + high) / 2


def padded(image: Image.Image, frame: Frame) -> Image.Image:
    """Centred on the background colour, or on nothing where alpha is kept."""
    height, width = frame.size
    ground = Image.new("RGBA", (width, height), (*rgb(frame.background), 0 if frame.channels == 4 else 255))
    ground = ground.convert(image.mode)
    ground.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return ground


def rgb(colour: str) -> tuple[int, ...]:
    """A colour's name to three numbers, 0 to 255."""
    return ImageColor.getrgb(colour)[:3]


def colours(image: Image.Image, profile: bytes | None, done: set[str]) -> Image.Image:
    """To sRGB by the embedded profile; a profile that is broken or of another kind is passed over."""
    if not profile or image.mode not in ("RGB", "CMYK"):
        return image
    transform = to_srgb(profile, image.mode)
    if transform is None:
        return image
    done.add("converted to sRGB by the embedded profile")
    return ImageCms.applyTransform(image, transform) or image


@lru_cache(maxsize=16)
def to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform; None for sRGB itself and for profiles that cannot be used."""
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(opened):
            return None
        return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def in_channels(image: Image.Image, channels: int, background: str, done: set[str]) -> Image.Image:
    """L, RGB or RGBA by the number of channels; alpha that is not kept is laid over the background."""
    if image.mode == "CMYK":
        done.add("converted from CMYK")
    if image.mode == "RGBA" and channels < 4:
        if image.getchannel("A").getextrema() != (255, 255):
            done.add(f"transparency laid over {background}")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*rgb(background), 255)), image)
    return image.convert(MODES[channels])


def foreign(data: bytes) -> str:
    """What the bytes of an unknown format are, as far as their beginning tells."""
    if not data:
        return "empty"
    start = data[:512].lstrip().lower()
    if data.startswith(BEGINNINGS):
        return "damaged at its beginning"
    known = next((what for begin, what in FOREIGN.items() if start.startswith(begin)), None)
    return known or "not a picture of a known format"


def damage(error: Exception) -> str:
    """Pillow's complaint in few words."""
    words = " ".join(str(error).split())
    if "truncated" in words.lower():
        return "cut off: the file ends too early"
    return f"damaged ({words[:80] or type(error).__name__})"


def accepted() -> str:
    """The formats, for messages."""
    return ", ".join(name for name in FORMATS if name != "DIB")
