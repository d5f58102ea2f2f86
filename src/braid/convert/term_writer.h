// Writes one sub-network into an ONNX graph: what both forms share. Layer: convert, internal.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "braid/base/status.h"
#include "braid/convert/graph_writer.h"
#include "braid/convert/sub_network_slice.h"
#include "braid/model/layer_map.h"
#include "braid/model/network.h"

namespace braid::convert {

// Whether a head answers every place of a map.
inline bool AnswersWithMap(const model::Layer& head) { return head.out_h != 1 || head.out_w != 1; }

class TermWriter {
 public:
  virtual ~TermWriter() = default;

  // Adds the layers that `head` needs. `input` is the value that holds the pixels, uint8 [N,C,H,W].
  // Returns the value that holds the logits, [N,classes] or, of a head that answers with a map,
  // [N,classes,H,W].
  Result<std::string> Write(const std::string& input, model::LayerIndex head);

 protected:
  // `term` numbers the sub-networks of the point, so that names differ.
  TermWriter(const model::Network& network, int sub_network, int term, GraphWriter& graph)
      : network_(network),
        sub_network_(network.sub_networks[static_cast<size_t>(sub_network)]),
        term_(term),
        graph_(graph),
        maps_(network.layers.size()),
        wides_(network.layers.size()) {}

  // Each returns the name of the layer's map: what the next layers' functions find in Map().
  virtual Result<std::string> Input(const std::string& pixels) = 0;
  virtual Result<std::string> Convolution(model::LayerIndex l) = 0;
  virtual Result<std::string> SumPool(model::LayerIndex l) = 0;
  virtual Result<std::string> MaxPool(model::LayerIndex l) = 0;
  virtual Result<std::string> Head(model::LayerIndex l) = 0;

  const model::Layer& LayerAt(model::LayerIndex l) const {
    return network_.layers[static_cast<size_t>(l)];
  }
  const model::LayerTables& TablesAt(model::LayerIndex l) const {
    return sub_network_.tables[static_cast<size_t>(l)];
  }
  const std::string& Map(model::LayerIndex l) const { return maps_[static_cast<size_t>(l)]; }
  std::string& Wide(model::LayerIndex l) { return wides_[static_cast<size_t>(l)]; }
  // "t0_conv2_acc": unique, whatever the layers are called.
  std::string Name(model::LayerIndex l, const std::string& what) const {
    return "t" + std::to_string(term_) + "_l" + std::to_string(l) + "_" + what;
  }
  std::vector<size_t> Channels(model::LayerIndex l) const {
    return PresentChannels(LayerAt(l), sub_network_.groups);
  }
  static std::vector<int64_t> PerChannel(const std::vector<size_t>& channels) {
    return {1, static_cast<int64_t>(channels.size()), 1, 1};
  }
  // Whether the head reads its map in a window, as a convolution does, instead of whole.
  bool HasWindow(model::LayerIndex l) const {
    return LayerAt(l).window != model::Window{} || AnswersWithMap(LayerAt(l));
  }
  static bool Padded(const model::Window& w) {
    return w.pad_top != 0 || w.pad_left != 0 || w.pad_bottom != 0 || w.pad_right != 0;
  }
  // What a convolution or head reads: its map, or all its maps, their channels behind each other.
  struct Reading {
    std::string value;
    ElementKind kind = ElementKind::kU7;
    bool padded = false;  // the window's padding is in it
  };
  Reading Read(model::LayerIndex l);
  // As Read, for a convolution: an image that is not padded with 0 comes with its padding.
  Result<Reading> ReadForWindow(model::LayerIndex l);
  // [N,classes,H,W] as the head's answer: one place alone is a row.
  std::string AnswerOf(model::LayerIndex head, const std::string& logits);
  // A scalar constant in the form of the image's map.
  virtual std::string PixelConstant(model::LayerIndex l, uint8_t pixel) = 0;
  // A u7 map in the form of an s8 one, for layers that read maps of both kinds.
  virtual std::string AsSigned(model::LayerIndex map) = 0;
  // What a layer can read of maps that were joined.
  virtual std::string Joined(model::LayerIndex l, const std::string& value, ElementKind kind) = 0;

  ElementKind KindOf(model::LayerIndex l) const {
    return model::MapKind(LayerAt(l).op, LayerAt(l).activation);
  }

  // Attributes of the node added last.
  void SetWindow(const model::Window& window, bool pads);
  // `map` with its padding made explicit; `zero` is a scalar constant.
  std::string Pad(model::LayerIndex l, const std::string& map, const std::string& zero);

  const model::Network& network_;
  const model::SubNetwork& sub_network_;
  const int term_;
  GraphWriter& graph_;

 private:
  std::vector<std::string> maps_;   // [layers]
  std::vector<std::string> wides_;  // [layers] convolutions before requantization
  std::map<std::vector<model::LayerIndex>, Reading>
      joined_;  // several layers may read the same maps
};

}  // namespace braid::convert
