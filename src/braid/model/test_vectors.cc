#include "braid/model/test_vectors.h"

#include <algorithm>

#include "braid/base/digest.h"
#include "braid/model/layer_map.h"

namespace braid::model {
namespace {

void Append(std::vector<uint8_t>& bytes, int32_t value) {
  const auto bits = static_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back((bits >> shift) & 0xff);
}

void Append(std::vector<uint8_t>& bytes, const std::vector<int32_t>& values) {
  Append(bytes, static_cast<int32_t>(values.size()));
  for (const int32_t value : values) Append(bytes, value);
}

}  // namespace

ShortDigest ShortDigestOf(std::span<const uint8_t> bytes) {
  const Sha256Digest whole = Sha256(bytes);
  ShortDigest digest;
  std::copy_n(whole.begin(), digest.size(), digest.begin());
  return digest;
}

ShortDigest DigestOf(const LayerTables& tables) {
  std::vector<uint8_t> bytes;
  Append(bytes, tables.bias);
  Append(bytes, tables.mul);
  Append(bytes, tables.clamp);
  Append(bytes, tables.shift);
  Append(bytes, tables.shortcut_mul);
  Append(bytes, tables.shortcut_clamp);
  Append(bytes, tables.shortcut_shift);
  return ShortDigestOf(bytes);
}

std::vector<DigestSlot> DigestSlots(const Network& network, GroupSet groups) {
  // Backwards over the layers, as NeededLayers does, but from all heads at once.
  std::vector<bool> needed(network.layers.size(), false);
  for (size_t i = network.layers.size(); i-- > 0;) {
    const Layer& layer = network.layers[i];
    if (layer.op == Op::kLinear) needed[i] = true;
    if (!needed[i]) continue;
    for (const LayerIndex used : layer.Inputs()) needed[static_cast<size_t>(used)] = true;
    if (layer.shortcut != kNoLayer) needed[static_cast<size_t>(layer.shortcut)] = true;
  }
  std::vector<DigestSlot> slots;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (!needed[i] || layer.op == Op::kInput) continue;
    const auto index = static_cast<LayerIndex>(i);
    if (!layer.Divided()) {
      slots.push_back({.layer = index, .group = 0});
      continue;
    }
    for (const int group : groups) slots.push_back({.layer = index, .group = group});
  }
  return slots;
}

int TestImageCount(const Network& network) {
  const size_t image = static_cast<size_t>(network.input_h) * static_cast<size_t>(network.input_w) *
                       static_cast<size_t>(network.input_c);
  return static_cast<int>(network.test_images.size() / image);
}

}  // namespace braid::model
