// Pre-shared keys of a group: files, checks, names. Layer: cluster/link.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "braid/base/status.h"

namespace braid::cluster {

// 32 secret bytes; wiped when destroyed.
class PreSharedKey {
 public:
  static constexpr size_t kBytes = 32;

  explicit PreSharedKey(std::span<const uint8_t, kBytes> bytes);
  ~PreSharedKey();
  PreSharedKey(const PreSharedKey&) = default;
  PreSharedKey& operator=(const PreSharedKey&) = default;

  // 32 raw bytes, or 64 hexadecimal digits and at most one newline. NOT_FOUND; PERMISSION_DENIED
  // when anyone but the owner could read or write the file; INVALID_ARGUMENT for other contents.
  static Result<PreSharedKey> Load(const std::string& path);
  // A new random key in a new file of mode 0600; ALREADY_EXISTS rather than overwrite.
  static Status CreateFile(const std::string& path);

  std::span<const uint8_t, kBytes> bytes() const { return bytes_; }
  // Eight hexadecimal digits that tell keys apart and say nothing else about them; for the
  // handshake and for logs.
  std::string Hint() const;
  bool operator==(const PreSharedKey& other) const;

 private:
  std::array<uint8_t, kBytes> bytes_;
};

// The keys that a device of a group knows. While a group changes its key, a device accepts both,
// and dials with one and then the other.
struct KeyRing {
  // `previous_path` may be empty. INVALID_ARGUMENT also for a group name that is empty, longer than
  // kMaxNameBytes or not printable ASCII.
  static Result<KeyRing> Load(const std::string& group, const std::string& path,
                              const std::string& previous_path = "");
  // The name of a key of this group in the handshake.
  std::string Identity(const PreSharedKey& key) const;

  std::string group;
  PreSharedKey primary;
  std::optional<PreSharedKey> previous;
};

}  // namespace braid::cluster
