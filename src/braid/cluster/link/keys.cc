#include "braid/cluster/link/keys.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "braid/base/digest.h"
#include "braid/cluster/link/frame.h"

namespace braid::cluster {
namespace {

// Part of what Hint digests, so that the digest of the bare key is never shown.
constexpr std::string_view kHintPrefix = "braid pre-shared key hint:";

constexpr size_t kMostFileBytes = 2 * PreSharedKey::kBytes + 1;  // digits and a newline

// Secret bytes on the stack, wiped on every way out.
template <size_t N>
struct Secret {
  std::array<uint8_t, N> bytes{};
  Secret() = default;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int DigitValue(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Status SystemError(const std::string& path, const char* what) {
  const StatusCode code = errno == ENOENT   ? StatusCode::kNotFound
                          : errno == EEXIST ? StatusCode::kAlreadyExists
                          : errno == EACCES ? StatusCode::kPermissionDenied
                                            : StatusCode::kInternal;
  return {code, "key file " + path + ": " + what + ": " + std::strerror(errno)};
}

}  // namespace

PreSharedKey::PreSharedKey(std::span<const uint8_t, kBytes> bytes) {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

PreSharedKey::~PreSharedKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

bool PreSharedKey::operator==(const PreSharedKey& other) const {
  return CRYPTO_memcmp(bytes_.data(), other.bytes_.data(), kBytes) == 0;
}

Result<PreSharedKey> PreSharedKey::Load(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return SystemError(path, "cannot open");
  // Asked of the open file, so that what is judged is what is read.
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return SystemError(path, "cannot stat");
  if (!S_ISREG(info.st_mode)) return InvalidArgument("key file " + path + ": not a plain file");
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Status(StatusCode::kPermissionDenied,
                  "key file " + path + ": others than its owner have access (chmod 600)");
  }
  Secret<kMostFileBytes + 1> content;
  size_t size = 0;
  while (size < content.bytes.size()) {
    const ssize_t got =
        ::read(file.get(), content.bytes.data() + size, content.bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(path, "cannot read");
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  Secret<kBytes> key;
  if (size == kMostFileBytes && content.bytes[size - 1] == '\n') --size;
  if (size == kBytes) {
    std::copy_n(content.bytes.begin(), kBytes, key.bytes.begin());
  } else if (size == 2 * kBytes) {
    for (size_t i = 0; i < kBytes; ++i) {
      const int high = DigitValue(content.bytes[2 * i]);
      const int low = DigitValue(content.bytes[2 * i + 1]);
      if (high < 0 || low < 0) {
        return InvalidArgument("key file " + path + ": 64 bytes that are not hexadecimal digits");
      }
      key.bytes[i] = static_cast<uint8_t>(high * 16 + low);
    }
  } else {
    return InvalidArgument("key file " + path +
                           ": holds neither 32 bytes nor 64 hexadecimal digits");
  }
  if (std::all_of(key.bytes.begin(), key.bytes.end(),
                  [&key](uint8_t byte) { return byte == key.bytes[0]; })) {
    return InvalidArgument("key file " + path + ": all bytes are the same, not a random key");
  }
  return PreSharedKey(key.bytes);
}

Status PreSharedKey::CreateFile(const std::string& path) {
  Secret<kBytes> key;
  if (RAND_bytes(key.bytes.data(), static_cast<int>(kBytes)) != 1) {
    return Internal("key file " + path + ": no random bytes from OpenSSL");
  }
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return SystemError(path, "cannot create");
  const ssize_t written = ::write(file.get(), key.bytes.data(), kBytes);
  if (written != static_cast<ssize_t>(kBytes) || ::fsync(file.get()) != 0) {
    const Status status = SystemError(path, "cannot write");
    ::unlink(path.c_str());
    return status;
  }
  return OkStatus();
}

std::string PreSharedKey::Hint() const {
  std::vector<uint8_t> labelled(kHintPrefix.begin(), kHintPrefix.end());
  labelled.insert(labelled.end(), bytes_.begin(), bytes_.end());
  const Sha256Digest digest = Sha256(labelled);
  OPENSSL_cleanse(labelled.data(), labelled.size());
  return ToHex(std::span(digest).first<4>());
}

Result<KeyRing> KeyRing::Load(const std::string& group, const std::string& path,
                              const std::string& previous_path) {
  const bool printable =
      std::all_of(group.begin(), group.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
  if (group.empty() || group.size() > kMaxNameBytes || !printable) {
    return InvalidArgument("group name: 1 to " + std::to_string(kMaxNameBytes) +
                           " printable ASCII characters");
  }
  BRAID_ASSIGN_OR_RETURN(PreSharedKey primary, PreSharedKey::Load(path));
  KeyRing ring{group, std::move(primary), std::nullopt};
  if (!previous_path.empty()) {
    BRAID_ASSIGN_OR_RETURN(ring.previous, PreSharedKey::Load(previous_path));
  }
  return ring;
}

std::string KeyRing::Identity(const PreSharedKey& key) const {
  return "braid-1 " + key.Hint() + " " + group;
}

}  // namespace braid::cluster
