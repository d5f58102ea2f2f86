// A picture from anywhere. First byte: bit 0 for a model that takes RGB, bit 1 sets the checksums
// of a PNG's chunks, which a hostile writer gets right and a fuzzer cannot.
#include <turbojpeg.h>
#include <zlib.h>

#include "braid/base/check.h"
#include "braid/data/image_file.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

constexpr data::ImageSize kGray = {.height = 5, .width = 7, .channels = 1};
constexpr data::ImageSize kColour = {.height = 5, .width = 7, .channels = 3};

void SetChecksums(Bytes& png) {
  size_t at = 8;  // behind the signature: length, kind, content, CRC-32 of kind and content
  while (png.size() - at >= 12 && png.size() > at) {
    const size_t length =
        size_t{png[at]} << 24 | size_t{png[at + 1]} << 16 | size_t{png[at + 2]} << 8 | png[at + 3];
    if (length > png.size() - at - 12) return;
    const auto crc = crc32(0, png.data() + at + 4, static_cast<uInt>(4 + length));
    for (size_t i = 0; i < 4; ++i) {
      png[at + 8 + length + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    }
    at += 12 + length;
  }
}

void Run(std::span<const uint8_t> input) {
  if (input.empty()) return;
  const data::ImageSize& size = (input[0] & 1) == 0 ? kGray : kColour;
  Bytes bytes(input.begin() + 1, input.end());
  if ((input[0] & 2) != 0 && bytes.size() > 8) SetChecksums(bytes);
  const auto pixels = data::DecodeImage(bytes, "fuzz", size);
  if (pixels.ok()) {
    BRAID_CHECK(pixels->size() == static_cast<size_t>(size.height * size.width * size.channels));
  }
}

Bytes Jpeg(const data::ImageSize& size, const Bytes& pixels) {
  unsigned char* out = nullptr;
  unsigned long bytes = 0;
  const tjhandle codec = tjInitCompress();
  const bool gray = size.channels == 1;
  BRAID_CHECK(tjCompress2(codec, pixels.data(), size.width, 0, size.height,
                          gray ? TJPF_GRAY : TJPF_RGB, &out, &bytes,
                          gray ? TJSAMP_GRAY : TJSAMP_420, 80, 0) == 0);
  const Bytes jpeg(out, out + bytes);
  tjFree(out);
  tjDestroy(codec);
  return jpeg;
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (const data::ImageSize& size : {kGray, kColour}) {
    Bytes pixels(static_cast<size_t>(size.height * size.width * size.channels));
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 29);
    for (const Bytes& file : {data::EncodePng(pixels, size).value(), Jpeg(size, pixels)}) {
      seeds.push_back(Headed(size.channels == 3 ? 3 : 2, file));
    }
  }
  return seeds;
}

}  // namespace

const Target kImage = {"image", Run, Seeds};

}  // namespace braid::fuzz
