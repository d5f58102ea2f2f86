// The loader of .braid files, and what finds the damage in one.
#include <algorithm>

#include "braid/base/check.h"
#include "braid/base/digest.h"
#include "braid/model/file.h"
#include "braid/model/test_network.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

constexpr size_t kDigestAt = 8, kBodyAt = 40;  // docs/model-format.md

void Run(std::span<const uint8_t> input) {
  (void)model::Parse(input);
  (void)model::LocateDamage(input);
  if (input.size() < kBodyAt) return;
  // Behind the digest, which a hostile writer gets right and a fuzzer cannot.
  Bytes forged(input.begin(), input.end());
  const Sha256Digest digest = Sha256(std::span(forged).subspan(kBodyAt));
  std::copy(digest.begin(), digest.end(), forged.begin() + kDigestAt);
  const auto file = model::Parse(forged);
  if (!file.ok()) return;
  // What passes can be written again, and reads the same.
  const auto written = model::Serialize(file->network);
  BRAID_CHECK(written.ok()) << written.status().ToString();
  const auto again = model::Parse(*written);
  BRAID_CHECK(again.ok()) << again.status().ToString();
  BRAID_CHECK(model::Serialize(again->network).value() == *written);
}

std::vector<Bytes> Seeds() {
  std::vector<Bytes> seeds;
  for (const uint64_t seed : {uint64_t{1}, uint64_t{2}}) {
    seeds.push_back(model::Serialize(model::MakeTestNetwork(seed)).value());
    seeds.push_back(model::Serialize(model::MakeFormsNetwork(seed)).value());
  }
  return seeds;
}

}  // namespace

const Target kModelFile = {"model_file", Run, Seeds};

}  // namespace braid::fuzz
