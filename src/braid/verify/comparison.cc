#include "braid/verify/comparison.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "braid/model/layer_map.h"

namespace braid::verify {
namespace {

using model::Layer;
using model::Network;

bool Fits(const Network& network, int sub_network, size_t slot, const RecordedMap& map) {
  const auto& digests = network.sub_networks[static_cast<size_t>(sub_network)].map_digests;
  const model::ShortDigest digest = model::ShortDigestOf(map.bytes);
  return std::equal(digest.begin(), digest.end(),
                    digests.begin() + static_cast<ptrdiff_t>(slot * model::kShortDigestBytes));
}

// The integer at element `i` of a recorded map of `kind`.
int32_t ValueAt(const RecordedMap& map, ElementKind kind, size_t i) {
  switch (kind) {
    case ElementKind::kU7:
      return map.bytes[i];
    case ElementKind::kS8:
      return static_cast<int8_t>(map.bytes[i]);
    case ElementKind::kWide: {
      uint32_t bits = 0;
      for (size_t b = 0; b < 4; ++b) bits |= uint32_t{map.bytes[4 * i + b]} << (8 * b);
      return static_cast<int32_t>(bits);
    }
  }
  return 0;
}

// What the scalar kernels say about a slot in which `recorded` of another path differs.
Result<std::optional<DifferentElement>> AskScalar(const Network& network, int sub_network,
                                                  size_t slot, const RecordedMap& recorded) {
  BRAID_ASSIGN_OR_RETURN(const Recorder scalar, Recorder::Make(network, kernels::Path::kScalar));
  BRAID_ASSIGN_OR_RETURN(const std::vector<RecordedMap> maps,
                         scalar.Record(sub_network, network.test_images));
  const RecordedMap& expected = maps[slot];
  if (expected.bytes.size() != recorded.bytes.size() ||
      !Fits(network, sub_network, slot, expected)) {
    return std::optional<DifferentElement>();
  }
  return std::optional(FirstDifferent(network, expected, recorded));
}

// Adds one path to `comparison`; stops at the first difference.
Status ComparePath(const Network& network, kernels::Path path, Comparison& comparison) {
  BRAID_ASSIGN_OR_RETURN(const Recorder recorder, Recorder::Make(network, path));
  for (int s = 0; s < static_cast<int>(network.sub_networks.size()); ++s) {
    BRAID_ASSIGN_OR_RETURN(const std::vector<RecordedMap> maps,
                           recorder.Record(s, network.test_images));
    for (size_t slot = 0; slot < maps.size(); ++slot) {
      if (maps[slot].bytes.empty()) {
        ++comparison.skipped;
        continue;
      }
      ++comparison.compared;
      if (Fits(network, s, slot, maps[slot])) continue;
      BRAID_ASSIGN_OR_RETURN(const auto element, AskScalar(network, s, slot, maps[slot]));
      comparison.difference = Difference{
          .path = path, .sub_network = s, .slot = maps[slot].slot, .element = element};
      return OkStatus();
    }
  }
  return OkStatus();
}

}  // namespace

DifferentElement FirstDifferent(const Network& network, const RecordedMap& expected,
                                const RecordedMap& got) {
  const Layer& layer = network.layers[static_cast<size_t>(got.slot.layer)];
  const ElementKind kind = model::MapKind(layer.op, layer.activation);
  const size_t width = kind == ElementKind::kWide ? 4 : 1;
  const auto at = std::mismatch(expected.bytes.begin(), expected.bytes.end(), got.bytes.begin());
  const size_t index = static_cast<size_t>(at.first - expected.bytes.begin()) / width;

  const size_t channels = static_cast<size_t>(
      layer.Divided() ? layer.group_channels[static_cast<size_t>(got.slot.group)]
                      : layer.Channels());
  const auto h = static_cast<size_t>(layer.out_h), w = static_cast<size_t>(layer.out_w);
  const int first = layer.Divided() ? layer.GroupOffset(got.slot.group) : 0;
  return {.image = static_cast<int>(index / (channels * w * h)),
          .y = static_cast<int>(index / (channels * w) % h),
          .x = static_cast<int>(index / channels % w),
          .channel = first + static_cast<int>(index % channels),
          .expected = ValueAt(expected, kind, index),
          .got = ValueAt(got, kind, index)};
}

Result<Comparison> Compare(const Network& network, std::span<const kernels::Path> paths) {
  if (network.test_images.empty()) {
    return FailedPrecondition("the model has no test vectors");
  }
  Comparison comparison;
  for (const kernels::Path path : paths) {
    BRAID_RETURN_IF_ERROR(ComparePath(network, path, comparison));
    if (comparison.difference.has_value()) break;
  }
  return comparison;
}

}  // namespace braid::verify
