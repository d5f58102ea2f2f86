// Little-endian fields written to and read from bytes, with bounds. Layer: cluster/link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace braid::cluster {

template <typename T>
void StoreLittleEndian(T value, uint8_t* to) {
  static_assert(std::is_unsigned_v<T>);
  for (size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

template <typename T>
T LoadLittleEndian(const uint8_t* from) {
  static_assert(std::is_unsigned_v<T>);
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(from[i]) << (8 * i)));
  }
  return value;
}

// Appends fields to a vector.
class ByteWriter {
 public:
  explicit ByteWriter(std::vector<uint8_t>* out) : out_(out) {}

  template <typename T>
  void Put(T value) {
    const size_t at = out_->size();
    out_->resize(at + sizeof(T));
    StoreLittleEndian(value, out_->data() + at);
  }
  void PutBytes(std::span<const uint8_t> bytes) {
    out_->insert(out_->end(), bytes.begin(), bytes.end());
  }
  // A 16-bit length, then the bytes.
  void PutText(const std::string& text) {
    Put(static_cast<uint16_t>(text.size()));
    out_->insert(out_->end(), text.begin(), text.end());
  }

 private:
  std::vector<uint8_t>* out_;
};

// Reads fields from bytes that it borrows. After a read beyond the end ok() is false for good and
// every further read gives zeros, so that a decoder needs to look only once.
class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && rest_.empty(); }
  size_t remaining() const { return rest_.size(); }

  template <typename T>
  T Take() {
    const std::span<const uint8_t> bytes = TakeBytes(sizeof(T));
    return bytes.empty() ? T{0} : LoadLittleEndian<T>(bytes.data());
  }
  // Empty when fewer than `count` are left.
  std::span<const uint8_t> TakeBytes(size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::span<const uint8_t> taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  // As PutText wrote it; more than `max_bytes` counts as a read beyond the end.
  std::string TakeText(size_t max_bytes) {
    const size_t size = Take<uint16_t>();
    if (size > max_bytes) ok_ = false;
    const std::span<const uint8_t> bytes = TakeBytes(size);
    return {bytes.begin(), bytes.end()};
  }

 private:
  std::span<const uint8_t> rest_;
  bool ok_ = true;
};

}  // namespace braid::cluster
