// Who may use the doors: a bearer token, re-read from its file, so that it can be changed without a
// restart. Layer: serving.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"

namespace braid::serving {

// Thread-safe.
class Access {
 public:
  // Everybody may.
  Access() = default;
  // `path`: one token a line, each of 16 to 4096 printable characters without spaces; every one of
  // them is accepted, so that a rotation adds the new one, waits for the clients, takes the old one
  // out. The file must not be readable by others (mode 0600 or 0400). It is looked at once a
  // second at most, when somebody asks; a file that went bad keeps the former tokens in force.
  static Result<std::unique_ptr<Access>> FromFile(const std::string& path);

  bool open() const { return path_.empty(); }
  // `authorization`: the value of the header of that name. UNAUTHENTICATED unless it is "Bearer "
  // and a token. Compares in a time that does not depend on how much of a token is right.
  Status Check(std::string_view authorization);

 private:
  explicit Access(std::string path) : path_(std::move(path)) {}
  static Result<std::vector<std::string>> Read(const std::string& path);
  void ReadAgain(TimePoint now);

  const std::string path_;
  std::mutex mutex_;
  std::vector<std::string> digests_;  // SHA-256 of each token, hex
  TimePoint looked_{};
};

}  // namespace braid::serving
