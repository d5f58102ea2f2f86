// From a layer of the model to the shapes of kernel calls. Layer: runtime.
#pragma once

#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/geometry.h"
#include "braid/model/network.h"

namespace braid::runtime {

inline const model::Layer& LayerAt(const model::Network& network, model::LayerIndex layer) {
  return network.layers[static_cast<size_t>(layer)];
}

// Channels of `group` in the layer's map; of the whole map where it is not divided.
int GroupChannels(const model::Layer& layer, int group);

// Bytes of one image's map of `group` ([H,W,C_group] u7 or s8).
int64_t GroupMapBytes(const model::Layer& layer, int group);

// The window of `layer` (not kInput) over a map of `channels` of its first input. A head without a window
// is one that covers the whole map.
kernels::WindowGeometry GeometryOf(const model::Network& network, model::LayerIndex layer,
                                   int channels);

// How a convolution with Layer::filter_channels runs on `path`. As one generated depthwise
// convolution a channel group, where each filter reads one channel and each channel has one filter.
bool RunsAsDepthwise(const model::Network& network, const model::Layer& layer, kernels::Path path);
// Else as generated convolutions, one a filter block, where registers hold a block's channels whole
// and blocks are few; else as KernelSet::filter_sums. Its wide values then pass through memory.
bool RunsAsFilterSums(const model::Network& network, const model::Layer& layer, kernels::Path path);

}  // namespace braid::runtime
