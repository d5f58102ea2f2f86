// An ONNX file from anywhere: read, lowered to layers and, where that is little work, imported.
#include <algorithm>
#include <string>

#include "braid/base/check.h"
#include "braid/convert/export_onnx.h"
#include "braid/convert/float_network.h"
#include "braid/convert/import_onnx.h"
#include "braid/convert/onnx_graph.h"
#include "braid/model/file.h"
#include "braid/model/test_network.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

constexpr int kSide = 6;
// Multiply-adds, values: import itself allows 2^36 and 2^26, which would be minutes an input.
constexpr double kLittleWork = 1 << 20;

bool LittleWork(const convert::OnnxGraph& graph, const convert::FloatNetwork& network) {
  // An operator that the answer does not need is run by the calibration too, unseen by this sum.
  if (graph.nodes.size() > 2 * network.layers.size() + 8) return false;
  double work = 0;
  for (const convert::FloatLayer& layer : network.layers) {
    const double places = static_cast<double>(layer.out_h) * layer.out_w;
    work += places * layer.channels + places * static_cast<double>(layer.weights.size()) +
            places * layer.window.kernel_h * layer.window.kernel_w * layer.channels;
  }
  return work < kLittleWork;
}

void Run(std::span<const uint8_t> input) {
  const auto graph = convert::ParseOnnx(input);
  if (!graph.ok()) return;
  const convert::InputScaling scaling{.scale = {1.0 / 255}, .shift = {0}};
  const auto network = convert::LowerGraph(*graph, scaling, kSide, kSide, 1);
  if (!network.ok() || !LittleWork(*graph, *network)) return;
  Bytes pixels(2 * kSide * kSide);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37);
  convert::ImportOptions options;
  options.mean = {0};
  options.std = {1};
  options.name = "fuzz";
  const auto imported = convert::ImportOnnx(
      input, {.pixels = pixels, .count = 2, .height = kSide, .width = kSide, .channels = 1},
      options);
  // What import makes is a model that any device takes.
  if (imported.ok()) BRAID_CHECK(model::Serialize(imported->network).ok());
}

std::vector<Bytes> Seeds() {
  const model::Network network = model::MakeTestNetwork();
  std::vector<Bytes> seeds;
  for (const auto form : {convert::OnnxForm::kQdq, convert::OnnxForm::kInteger}) {
    for (const size_t point : {size_t{0}, size_t{2}, size_t{4}}) {
      seeds.push_back(
          *convert::ExportOnnx(network, network.points[point], {.form = form, .version = "fuzz"}));
    }
  }
  return seeds;
}

}  // namespace

const Target kOnnx = {"onnx", Run, Seeds};

}  // namespace braid::fuzz
