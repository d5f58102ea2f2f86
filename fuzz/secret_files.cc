// The files that hold a group's key and a door's tokens. First byte: which of the two.
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "braid/base/check.h"
#include "braid/cluster/link/keys.h"
#include "braid/serving/access.h"
#include "fuzz/scratch_folder.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

void Run(std::span<const uint8_t> input) {
  static const ScratchFolder folder("secret_files");
  Reader reader(input);
  const bool key = reader.Byte() % 2 == 0;
  const std::span<const uint8_t> content = reader.Rest();
  const std::string path = folder.path() / "secret";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  BRAID_CHECK(fd >= 0);
  BRAID_CHECK(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  ::close(fd);
  if (key) {
    if (const auto loaded = cluster::PreSharedKey::Load(path); loaded.ok()) {
      BRAID_CHECK(loaded->Hint().size() == 8);
    }
    return;
  }
  const auto access = serving::Access::FromFile(path);
  if (!access.ok()) return;
  // The first line that is not empty is a token.
  const std::string_view text = ToText(content);
  const size_t from = text.find_first_not_of(" \t\r\n\v\f");
  const size_t to = text.find_first_of(" \t\r\n\v\f", from);
  const std::string token(text.substr(from, to == std::string_view::npos ? to : to - from));
  BRAID_CHECK((*access)->Check("Bearer " + token).ok()) << token;
  BRAID_CHECK(!(*access)->Check("Bearer ").ok());
  BRAID_CHECK(!(*access)->Check(text).ok());
}

std::vector<Bytes> Seeds() {
  const std::string digits = "00112233445566778899aabbccddeeff";
  return {Headed(0, Bytes(32, 0x5a)), Headed(0, ToBytes(digits + digits + "\n")),
          Headed(1, ToBytes("0123456789abcdef\n\nanother-token-of-25-chars\r\n"))};
}

}  // namespace

const Target kSecretFiles = {"secret_files", Run, Seeds};

}  // namespace braid::fuzz
