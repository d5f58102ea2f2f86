#include "braid/serving/access.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <utility>

#include "braid/base/digest.h"
#include "braid/base/file.h"

namespace braid::serving {
namespace {

constexpr Duration kLookInterval = std::chrono::seconds(1);
constexpr size_t kShortest = 16;
constexpr size_t kLongest = 4096;

std::string DigestOf(std::string_view token) {
  return ToHex(Sha256({reinterpret_cast<const uint8_t*>(token.data()), token.size()}));
}

}  // namespace

Result<std::vector<std::string>> Access::Read(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return FailedPrecondition("token file " + path + ": others may read it, its mode must be 0600");
  }
  BRAID_ASSIGN_OR_RETURN(const auto bytes, ReadFile(path, 1 << 20));
  std::istringstream lines(std::string(bytes.begin(), bytes.end()));
  std::vector<std::string> digests;
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) {
      line.pop_back();
    }
    if (line.empty()) continue;
    const bool plain = std::ranges::all_of(
        line, [](char c) { return std::isgraph(static_cast<unsigned char>(c)) != 0; });
    if (!plain || line.size() < kShortest || line.size() > kLongest) {
      return InvalidArgument("token file " + path + ": a token has " + std::to_string(kShortest) +
                             " to " + std::to_string(kLongest) + " printable characters, no space");
    }
    digests.push_back(DigestOf(line));
  }
  if (digests.empty()) return InvalidArgument("token file " + path + ": holds no token");
  return digests;
}

Result<std::unique_ptr<Access>> Access::FromFile(const std::string& path) {
  BRAID_ASSIGN_OR_RETURN(auto digests, Read(path));
  std::unique_ptr<Access> access(new Access(path));
  access->digests_ = std::move(digests);
  access->looked_ = std::chrono::steady_clock::now();
  return access;
}

void Access::ReadAgain(TimePoint now) {
  if (now - looked_ < kLookInterval) return;
  looked_ = now;
  if (auto digests = Read(path_); digests.ok()) digests_ = std::move(digests).value();
}

Status Access::Check(std::string_view authorization) {
  if (open()) return OkStatus();
  const Status refused(StatusCode::kUnauthenticated, "a bearer token is needed");
  constexpr std::string_view kScheme = "Bearer ";
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  if (authorization.size() <= kScheme.size() || authorization.size() > kLongest + kScheme.size() ||
      !std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, {}, lower, lower)) {
    return refused;
  }
  // Digests of equal length are compared, so neither the length nor the content of a token shows.
  const std::string digest = DigestOf(authorization.substr(kScheme.size()));
  const std::lock_guard lock(mutex_);
  ReadAgain(std::chrono::steady_clock::now());
  bool known = false;
  for (const std::string& token : digests_) {
    known |= token.size() == digest.size() &&
             CRYPTO_memcmp(token.data(), digest.data(), digest.size()) == 0;
  }
  return known ? OkStatus() : refused;
}

}  // namespace braid::serving
