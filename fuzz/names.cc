// Names and addresses as people and peers write them.
#include <string>

#include "braid/base/check.h"
#include "braid/cluster/link/address.h"
#include "braid/model/operating_point_name.h"
#include "braid/serving/catalog.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

void Run(std::span<const uint8_t> input) {
  const std::string text(ToText(input));
  if (const auto name = model::ParsePointName(text); name.ok()) {
    BRAID_CHECK(model::FormatPointName(name->terms, name->exit) == text) << text;
  }
  if (const auto address = cluster::ParseAddress(text); address.ok()) {
    const auto again = cluster::ParseAddress(cluster::FormatAddress(address->host, address->port));
    BRAID_CHECK(again.ok() && again->host == address->host && again->port == address->port) << text;
  }
  if (const int64_t version = serving::ParseVersion(text); version >= 0) {
    BRAID_CHECK(std::to_string(version) == text) << text;
  }
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (const char* text : {"g0", "g0+1", "g0,1", "g0-3/e2", "g0+1,2+3", "127.0.0.1:80", "name:80",
                           "[::1]:80", ":80", "1", "9223372036854775807"}) {
    seeds.push_back(ToBytes(text));
  }
  return seeds;
}

}  // namespace

const Target kNames = {"names", Run, Seeds};

}  // namespace braid::fuzz
