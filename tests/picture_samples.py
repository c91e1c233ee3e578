"""Picture files for the tests of the data: whole, odd and damaged ones, made from scratch."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def plain(colour: Any = (200, 100, 50), size: tuple[int, int] = (16, 16), mode: str = "RGB") -> Image.Image:
    """One colour; `size` is (width, height) as in Pillow."""
    return Image.new(mode, size, colour)


def photo(size: tuple[int, int] = (64, 48), seed: int = 0) -> Image.Image:
    """Something with content: blurred noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def ramp(kind: str, top: float) -> Image.Image:
    """Grey from 0 to `top`, left to right, 256 x 4, in an array type of NumPy."""
    return Image.fromarray(np.tile(np.linspace(0, top, 256), (4, 1)).astype(kind))


def flipped_byte(data: bytes, place: float = 0.6) -> bytes:
    """One byte in the middle turned over."""
    position = int(len(data) * place)
    return data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]


def chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    """One chunk of a PNG."""
    crc = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png(width: int, height: int, extra: bytes = b"", rows: bytes | None = None, header_crc: int | None = None) -> bytes:
    """A grey PNG written by hand; by default all rows are black, which packs a thousandfold."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) if rows is None else rows
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), header_crc)
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", data + packer.flush()) + chunk(b"IEND", b"")


def turned(orientation: int, image: Image.Image) -> bytes:
    """A JPEG with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", exif=exif, quality=95)


def put(root: str, files: dict[str, bytes]) -> str:
    """A folder with files."""
    for name, content in files.items():
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root
