#include "braid/data/gzip.h"

#include <zlib.h>

#include <algorithm>

namespace braid::data {
namespace {

// Frees zlib's state on every way out.
class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK; }  // 16: gzip framing
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

// zlib counts input and output in 32 bits; feed it less at a time.
constexpr size_t kChunk = size_t{1} << 20;

}  // namespace

bool IsGzip(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

Result<std::vector<uint8_t>> Gunzip(std::span<const uint8_t> bytes, const std::string& name,
                                    uint64_t max_bytes) {
  if (!IsGzip(bytes)) return DataLoss(name + ": at byte 0: no gzip header");
  Inflater inflater;
  if (!inflater.ready()) return Internal(name + ": zlib did not start");
  z_stream& stream = inflater.stream();

  std::vector<uint8_t> out;
  size_t read = 0;     // bytes of `bytes` consumed
  size_t written = 0;  // bytes of `out` that hold content
  const auto damage = [&](const std::string& what) {
    return DataLoss(name + ": at byte " + std::to_string(read) + " of " +
                    std::to_string(bytes.size()) + ": " + what + " (after " +
                    std::to_string(written) + " bytes of content)");
  };
  while (true) {
    // One byte beyond the limit is asked for, so that "exactly max_bytes" is told from "more".
    if (written == out.size()) {
      const uint64_t grown = std::max<uint64_t>(2 * uint64_t{out.size()}, kChunk);
      out.resize(static_cast<size_t>(std::min<uint64_t>(grown, max_bytes + 1)));
    }
    const size_t in_now = std::min(kChunk, bytes.size() - read);
    const size_t out_now = std::min(kChunk, out.size() - written);
    stream.next_in = const_cast<Bytef*>(bytes.data() + read);  // zlib's interface predates const
    stream.avail_in = static_cast<uInt>(in_now);
    stream.next_out = out.data() + written;
    stream.avail_out = static_cast<uInt>(out_now);
    const int code = inflate(&stream, Z_NO_FLUSH);
    read += in_now - stream.avail_in;
    written += out_now - stream.avail_out;
    if (written > max_bytes) {
      return ResourceExhausted(name + ": more than " + std::to_string(max_bytes) +
                               " bytes of content");
    }
    if (code == Z_STREAM_END) {
      if (read == bytes.size()) break;
      if (!IsGzip(bytes.subspan(read))) return damage("data after the end of the gzip stream");
      if (inflateReset(&stream) != Z_OK) return Internal(name + ": zlib did not restart");
      continue;
    }
    if (code == Z_OK) continue;
    if (code == Z_BUF_ERROR) {  // no progress possible: the input is used up
      if (read == bytes.size()) return damage("the gzip stream is cut off");
      continue;
    }
    return damage(stream.msg != nullptr ? std::string("damaged gzip stream: ") + stream.msg
                                        : std::string("damaged gzip stream"));
  }
  out.resize(written);
  return out;
}

}  // namespace braid::data
