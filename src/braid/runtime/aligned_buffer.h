// One block of memory aligned to a cache line, zeroed. Layer: runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace braid::runtime {

// A cache line on x86-64 and most AArch64 processors, and the widest vector register.
inline constexpr int64_t kAlignmentBytes = 64;

constexpr int64_t AlignUp(int64_t bytes) {
  return (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
}

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // data() is nullptr when the memory cannot be had.
  explicit AlignedBuffer(int64_t bytes)
      : data_(static_cast<std::byte*>(::operator new (static_cast<size_t>(AlignUp(bytes)),
                                                      std::align_val_t{kAlignmentBytes},
                                                      std::nothrow))) {
    if (data_ != nullptr) std::memset(data_.get(), 0, static_cast<size_t>(AlignUp(bytes)));
  }

  std::byte* data() const { return data_.get(); }

 private:
  struct Release {
    void operator()(std::byte* data) const {
      ::operator delete (data, std::align_val_t{kAlignmentBytes});
    }
  };
  std::unique_ptr<std::byte, Release> data_;
};

}  // namespace braid::runtime
