#include <flatbuffers/flatbuffers.h>

#include "braid/base/digest.h"
#include "braid/model/braid_generated.h"
#include "braid/model/flatbuffer_codec.h"
#include "braid/model/operating_point_name.h"
#include "braid/model/test_vectors.h"

namespace braid::model {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

// An empty vector is left out: the reader takes a missing one as empty.
template <typename T>
Offset<flatbuffers::Vector<T>> PutVector(FlatBufferBuilder& builder, const std::vector<T>& values) {
  if (values.empty()) return 0;
  return builder.CreateVector(values);
}

template <typename T>
Offset<flatbuffers::Vector<Offset<T>>> PutTables(FlatBufferBuilder& builder,
                                                 const std::vector<Offset<T>>& tables) {
  return builder.CreateVector(tables);
}

Offset<fb::Window> PutWindow(FlatBufferBuilder& builder, const Window& window) {
  if (window == Window{}) return 0;
  return fb::CreateWindow(builder, window.kernel_h, window.kernel_w, window.stride_h,
                          window.stride_w, window.pad_top, window.pad_left, window.pad_bottom,
                          window.pad_right);
}

Offset<fb::Weights> PutWeights(FlatBufferBuilder& builder, const std::vector<int8_t>& weights) {
  if (weights.empty()) return 0;
  const auto values = builder.CreateVector(weights);
  const Sha256Digest digest =
      Sha256({reinterpret_cast<const uint8_t*>(weights.data()), weights.size()});
  const auto sha256 = builder.CreateVector(digest.data(), digest.size());
  return fb::CreateWeights(builder, values, sha256);
}

Offset<fb::Layer> PutLayer(FlatBufferBuilder& builder, const Layer& layer) {
  const auto name = builder.CreateString(layer.name);
  const auto window = PutWindow(builder, layer.window);
  const auto group_channels = PutVector(builder, layer.group_channels);
  const auto weights = PutWeights(builder, layer.weights);
  const auto more_inputs = PutVector(builder, layer.more_inputs);
  return fb::CreateLayer(builder, name, static_cast<fb::Op>(layer.op), layer.input, layer.shortcut,
                         window, static_cast<fb::Activation>(layer.activation), layer.dense,
                         layer.out_h, layer.out_w, group_channels, weights, more_inputs,
                         layer.filter_channels);
}

Offset<fb::SubNetwork> PutSubNetwork(FlatBufferBuilder& builder, const SubNetwork& sub_network) {
  std::vector<Offset<fb::LayerTables>> offsets;
  std::vector<uint8_t> digests;
  for (const LayerTables& tables : sub_network.tables) {
    const auto bias = PutVector(builder, tables.bias);
    const auto mul = PutVector(builder, tables.mul);
    const auto shortcut_mul = PutVector(builder, tables.shortcut_mul);
    offsets.push_back(fb::CreateLayerTables(builder, bias, mul, tables.clamp, tables.shift,
                                            shortcut_mul, tables.shortcut_clamp,
                                            tables.shortcut_shift));
    const ShortDigest digest = DigestOf(tables);
    digests.insert(digests.end(), digest.begin(), digest.end());
  }
  const auto tables = PutTables(builder, offsets);
  const auto table_digests = PutVector(builder, digests);
  const auto map_digests = PutVector(builder, sub_network.map_digests);
  return fb::CreateSubNetwork(builder, sub_network.groups.mask(), tables, table_digests,
                              map_digests);
}

Offset<fb::OperatingPoint> PutPoint(FlatBufferBuilder& builder, const OperatingPoint& point) {
  const auto name = builder.CreateString(point.name);
  const auto terms = PutVector(builder, point.terms);
  return fb::CreateOperatingPoint(builder, name, terms, point.head, point.accuracy, point.macs_mean,
                                  point.macs_worst, point.weight_bytes);
}

Offset<fb::Port> PutPort(FlatBufferBuilder& builder, const char* name, fb::ElementType type,
                         const std::vector<int>& shape) {
  const auto name_offset = builder.CreateString(name);
  return fb::CreatePort(builder, name_offset, type, builder.CreateVector(shape));
}

}  // namespace

std::vector<uint8_t> EncodeBody(const Network& network) {
  FlatBufferBuilder builder;
  const auto name = builder.CreateString(network.name);

  const int classes = static_cast<int>(network.labels.size());
  const auto inputs = PutTables<fb::Port>(
      builder, {PutPort(builder, "input", fb::ElementType::UInt8,
                        {-1, network.input_h, network.input_w, network.input_c})});
  std::vector<Offset<fb::Port>> ports;
  const LayerIndex last = HeadOfExit(network, std::nullopt);
  const Layer head = last == kNoLayer ? Layer() : network.layers[static_cast<size_t>(last)];
  if (head.out_h > 1 || head.out_w > 1) {
    ports = {
        PutPort(builder, "map", fb::ElementType::Int32, {-1, head.out_h, head.out_w, classes})};
  } else {
    ports = {PutPort(builder, "logits", fb::ElementType::Int32, {-1, classes}),
             PutPort(builder, "class", fb::ElementType::Int64, {-1})};
  }
  const auto outputs = PutTables(builder, ports);

  std::vector<Offset<fb::Layer>> layers;
  for (const Layer& layer : network.layers) layers.push_back(PutLayer(builder, layer));
  const auto layers_offset = PutTables(builder, layers);

  std::vector<Offset<fb::SubNetwork>> sub_networks;
  for (const SubNetwork& s : network.sub_networks) {
    sub_networks.push_back(PutSubNetwork(builder, s));
  }
  const auto sub_networks_offset = PutTables(builder, sub_networks);

  std::vector<Offset<fb::OperatingPoint>> points;
  for (const OperatingPoint& point : network.points) points.push_back(PutPoint(builder, point));
  const auto points_offset = PutTables(builder, points);

  const auto labels = builder.CreateVectorOfStrings(network.labels);
  const auto card = builder.CreateString(network.card);
  const auto test_images = PutVector(builder, network.test_images);
  const auto input_padding = PutVector(builder, network.input_padding);
  fb::FinishNetworkBuffer(
      builder, fb::CreateNetwork(builder, name, network.groups, inputs, outputs, layers_offset,
                                 sub_networks_offset, points_offset, labels, card, test_images,
                                 input_padding));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace braid::model
