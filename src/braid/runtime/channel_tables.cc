#include "braid/runtime/channel_tables.h"

#include <utility>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/geometry.h"
#include "braid/runtime/layer_geometry.h"

namespace braid::runtime {
namespace {

struct ChannelTables {
  std::vector<int32_t> bias, mul, low, high, shortcut_mul;
};

ChannelTables TablesOf(const model::Layer& layer, const model::LayerTables& tables, int group,
                       ChannelRun run) {
  const auto first = static_cast<ptrdiff_t>(layer.GroupOffset(group) + run.first);
  const auto slice = [&](const std::vector<int32_t>& all) {
    return std::vector<int32_t>(all.begin() + first, all.begin() + first + run.channels);
  };
  ChannelTables t;
  t.bias = slice(tables.bias);
  t.mul = slice(tables.mul);
  if (layer.shortcut != model::kNoLayer) t.shortcut_mul = slice(tables.shortcut_mul);
  for (const int32_t mul : t.mul) {
    const kernels::ClampInterval interval =
        kernels::ClampIntervalFor(mul, layer.activation == model::Activation::kRelu);
    t.low.push_back(interval.low);
    t.high.push_back(interval.high);
  }
  return t;
}

}  // namespace

std::vector<int32_t> KernelTableOf(const model::Layer& layer, const model::LayerTables& tables,
                                   int group, ChannelRun run) {
  const ChannelTables t = TablesOf(layer, tables, group, run);
  std::vector<int32_t> table(kernels::TableElements(run.channels));
  const auto fill = [&](kernels::TableRow row, const std::vector<int32_t>& values) {
    for (size_t c = 0; c < values.size(); ++c) {
      table[kernels::TableIndex(row, static_cast<int>(c))] = values[c];
    }
  };
  fill(kernels::TableRow::kBias, t.bias);
  fill(kernels::TableRow::kMul, t.mul);
  fill(kernels::TableRow::kLow, t.low);
  fill(kernels::TableRow::kHigh, t.high);
  fill(kernels::TableRow::kShortcutMul, t.shortcut_mul);
  return table;
}

kernels::Epilogue EpilogueOf(const model::Layer& layer, const model::LayerTables& tables, int group,
                             std::vector<std::vector<int32_t>>& keep) {
  const int channels = GroupChannels(layer, group);
  ChannelTables t = TablesOf(layer, tables, group, {0, channels});
  kernels::Epilogue epilogue;
  epilogue.channels = channels;
  const auto padded = [&](std::vector<int32_t>& values) {
    values.resize(static_cast<size_t>(kernels::PaddedChannels(channels)));
    keep.push_back(std::move(values));
    return keep.back().data();
  };
  epilogue.bias = padded(t.bias);
  epilogue.mul = padded(t.mul);
  epilogue.low = padded(t.low);
  epilogue.high = padded(t.high);
  if (layer.shortcut != model::kNoLayer) {
    epilogue.shortcut_mul = padded(t.shortcut_mul);
    epilogue.shortcut_clamp = tables.shortcut_clamp;
    epilogue.shortcut_shift = tables.shortcut_shift;
  }
  return epilogue;
}

}  // namespace braid::runtime
