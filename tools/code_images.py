#!/usr/bin/env python3
"""HEVC intra-coded images of T91, Classic5 and Set14, as artefact reduction is trained and measured on.

  tools/code_images.py DATA [OUT]      (needs the packages of packages/hevc.txt)

Reads DATA/sr/SET/*.png, codes the luma of each (BT.601, 16..235, as `braid` computes it) alone as one
intra frame at QP 22, 27, 32 and 37, and writes what a decoder shows, deblocked and with sample adaptive
offset, as OUT/hevc/qpN/SET/*.png; OUT is the cache folder (`braid data list` names it) when left out. What the
encoder says that a decoder shows is held against a decoder of others, bit for bit. OUT/hevc/manifest.json has
the versions of both, the options, digests, bits per pixel and PSNR: encoders' versions may differ in their bits.
"""
import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import zlib

SETS = ("T91", "Classic5", "Set14")
QPS = (22, 27, 32, 37)
# One frame, the luma plane alone, every block at the given QP (`--ipratio 1`: x265 codes intra frames at a
# lower one else; `--tune psnr`: no adaptive quantization), one thread. The rest are x265's defaults.
OPTIONS = ("--input-csp", "i400", "--fps", "1", "--frames", "1", "--keyint", "1", "--ipratio", "1",
           "--preset", "medium", "--tune", "psnr", "--no-wpp", "--pools", "none",
           "--frame-threads", "1")
DECODER = "libde265-dec265"


def read_png(path):
    """Width, height, channels and bytes of an 8-bit gray or RGB PNG that is not interlaced."""
    with open(path, "rb") as file:
        data = file.read()
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if data[:8] != b"\x89PNG\r\n\x1a\n" or depth != 8 or colour not in (0, 2) or interlaced:
        sys.exit(f"{path}: no 8-bit gray or RGB PNG without interlacing")
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at:at + 4])
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    raw = zlib.decompress(packed)
    channels = 3 if colour == 2 else 1
    stride = width * channels
    above, rows = bytearray(stride), []
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride if kind else 0):
            left = row[i - channels] if i >= channels else 0
            corner = above[i - channels] if i >= channels else 0
            if kind == 1:
                row[i] = (row[i] + left) & 255
            elif kind == 2:
                row[i] = (row[i] + above[i]) & 255
            elif kind == 3:
                row[i] = (row[i] + (left + above[i]) // 2) & 255
            else:
                away = left + above[i] - corner
                nearest = min((left, above[i], corner), key=lambda v: abs(away - v))
                row[i] = (row[i] + nearest) & 255
        rows.append(row)
        above = row
    return width, height, channels, b"".join(rows)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png(path, width, height, gray):
    rows = b"".join(b"\0" + gray[y * width:(y + 1) * width] for y in range(height))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def luma(channels, pixels):
    if channels == 1:
        return pixels
    red, green, blue = pixels[0::3], pixels[1::3], pixels[2::3]
    return bytes(16 + (65481 * r + 128553 * g + 24966 * b + 127500) // 255000
                 for r, g, b in zip(red, green, blue))


def code(folder, width, height, gray, qp):
    """The decoded plane and the bytes of the coded one."""
    source, recon, stream, shown = (os.path.join(folder, name)
                                    for name in ("in.yuv", "out.yuv", "out.hevc", "decoded.yuv"))
    with open(source, "wb") as file:
        file.write(gray)
    result = subprocess.run(["x265", "--input", source, "--input-res", f"{width}x{height}", *OPTIONS,
                             "--qp", str(qp), "--recon", recon, "--output", stream],
                            capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit("x265: " + result.stderr)
    with open(recon, "rb") as file:
        decoded = file.read()
    if len(decoded) != len(gray):
        sys.exit(f"x265 answered {len(decoded)} bytes for {width}x{height}")
    subprocess.run([DECODER, "-q", "-o", shown, stream], check=True, capture_output=True)
    with open(shown, "rb") as file:
        if file.read() != decoded:
            sys.exit(f"x265 and {DECODER} differ in what they show of {stream}, {width}x{height} at QP {qp}")
    return decoded, os.path.getsize(stream)


def psnr(a, b):
    squares = sum((x - y) * (x - y) for x, y in zip(a, b))
    return 10 * math.log10(255 * 255 * len(a) / squares) if squares else math.inf


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    data, out = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else os.path.join(cache, "braid")
    version = subprocess.run(["x265", "--version"], capture_output=True, text=True).stderr
    decoder = subprocess.run([DECODER, "-h"], capture_output=True, text=True)
    manifest = {"encoder": version.splitlines()[0].split("]: ")[-1], "options": " ".join(OPTIONS),
                "decoder": (decoder.stdout + decoder.stderr).split("\n")[0].strip(), "sets": []}
    with tempfile.TemporaryDirectory() as scratch:
        for name in SETS:
            folder = os.path.join(data, "sr", name)
            images = []
            for file in sorted(f for f in os.listdir(folder) if f.endswith(".png")):
                width, height, channels, pixels = read_png(os.path.join(folder, file))
                images.append((file, width, height, luma(channels, pixels)))
            for qp in QPS:
                target = os.path.join(out, "hevc", f"qp{qp}", name)
                os.makedirs(target, exist_ok=True)
                digest, size, pixels, decibels = hashlib.sha256(), 0, 0, 0
                for file, width, height, gray in images:
                    decoded, coded = code(scratch, width, height, gray, qp)
                    write_png(os.path.join(target, file), width, height, decoded)
                    digest.update(struct.pack("<II", height, width) + decoded)
                    size, pixels = size + coded, pixels + len(gray)
                    decibels += psnr(gray, decoded) / len(images)
                entry = {"set": name, "qp": qp, "images": len(images), "digest": digest.hexdigest(),
                         "bits_per_pixel": round(8 * size / pixels, 4), "psnr": round(decibels, 4)}
                manifest["sets"].append(entry)
                print(f"{name} QP {qp}: {entry['bits_per_pixel']} bits per pixel, {entry['psnr']} dB", flush=True)
    with open(os.path.join(out, "hevc", "manifest.json"), "w") as file:
        json.dump(manifest, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
