#include "braid/convert/import_onnx.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "braid/convert/calibrated_network.h"
#include "braid/convert/onnx_graph.h"
#include "braid/convert/quantize_network.h"
#include "braid/kernels/path.h"
#include "braid/model/cost.h"
#include "braid/model/file.h"
#include "braid/model/restoration.h"
#include "braid/verify/recording.h"
#include "braid/verify/test_vectors.h"

namespace braid::convert {
namespace {

using model::Op;

constexpr size_t kMaxShownBytes = 80;

}  // namespace

const char* OpName(const FloatLayer& layer) {
  switch (layer.op) {
    case Op::kInput:
      return "input";
    case Op::kConv:
      return layer.identity ? "identity" : layer.shortcut >= 0 ? "conv + shortcut" : "conv";
    case Op::kMaxPool:
      return "max pool";
    case Op::kSumPool:
      return "mean";
    case Op::kLinear:
      return "linear";
  }
  return "?";
}

namespace {

Status CheckOptions(const Pictures& pictures, const ImportOptions& options) {
  if (!(options.rank > 0 && options.rank <= 1)) return InvalidArgument("rank: expected 0..1");
  for (const double value : options.std) {
    if (!(value > 0) || !std::isfinite(value)) return InvalidArgument("std: expected above 0");
  }
  for (const double value : options.mean) {
    if (!std::isfinite(value)) return InvalidArgument("mean: no number");
  }
  for (const auto* values : {&options.mean, &options.std}) {
    if (values->size() != 1 && values->size() != static_cast<size_t>(pictures.channels)) {
      return InvalidArgument("mean and std: one value, or one for each channel");
    }
  }
  if (options.bits < 2 || options.bits > 8) return InvalidArgument("bits: expected 2..8");
  if (options.snap && !options.step_per_layer) {
    return InvalidArgument("snapped bounds need one weight step a layer");
  }
  if (pictures.count < 1) return InvalidArgument("no calibration pictures");
  return OkStatus();
}

std::string CardOf(const ImportOptions& options, const Pictures& pictures) {
  const nlohmann::ordered_json card = {
      {"imported_from", options.source},
      {"calibration", options.calibration},
      {"calibration_images", pictures.count},
      {"bound_rank", options.rank},
      {"weight_steps", options.step_per_layer ? "layer" : "channel"},
      {"mean", options.mean},
      {"std", options.std},
      {"accuracy", "not measured"},
      {"licence", "that of the imported model"}};
  // Paths may hold bytes that are no UTF-8.
  return card.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Share of the pixels to which both add the same gray level; what is added is in units of `level` a
// gray level.
double SamePixels(std::span<const uint8_t> pixels, const std::vector<double>& got,
                  const std::vector<double>& expected, double level) {
  const auto restored = [&](size_t i, const std::vector<double>& added) {
    return std::clamp(std::floor(pixels[i] + added[i] / level + 0.5), 0.0, 255.0);
  };
  size_t same = 0;
  for (size_t i = 0; i < got.size(); ++i) same += restored(i, got) == restored(i, expected);
  return static_cast<double>(same) / static_cast<double>(got.size());
}

// Integer maps of the first pictures against the float values.
Status Compare(const FloatNetwork& from, const QuantizedNetwork& quantized,
               const Calibration& calibration, const Pictures& pictures, ImportedModel& out) {
  const size_t picture = pictures.pixels.size() / static_cast<size_t>(pictures.count);
  BRAID_ASSIGN_OR_RETURN(const verify::Recorder recorder,
                         verify::Recorder::Make(out.network, kernels::Path::kScalar));
  BRAID_ASSIGN_OR_RETURN(
      const auto maps,
      recorder.Record(
          0, pictures.pixels.first(picture * static_cast<size_t>(calibration.first_count))));
  for (const verify::RecordedMap& map : maps) {
    const auto l = static_cast<size_t>(map.slot.layer);
    const FloatLayer& layer = from.layers[l];
    const bool head = layer.op == Op::kLinear;
    std::vector<double> expected = calibration.first_values[l];
    const auto channels = static_cast<size_t>(layer.channels);
    const auto stored = static_cast<size_t>(out.network.layers[l].Channels());
    const double step = head ? quantized.logit_step : quantized.map_steps[l];
    std::vector<double> got(expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      if (head) {
        uint32_t bits = 0;
        for (size_t b = 0; b < 4; ++b) bits |= uint32_t{map.bytes[4 * i + b]} << (8 * b);
        got[i] = step * static_cast<int32_t>(bits);
      } else {
        got[i] = step * static_cast<int8_t>(map.bytes[i / channels * stored + i % channels]);
      }
    }
    double error = 0, power = 0;
    // The calibration has the graph's own values, and the head those of what is added.
    const double sign = head && from.image_sign < 0 ? -1 : 1;
    for (size_t i = 0; i < expected.size(); ++i) expected[i] *= sign;
    for (size_t i = 0; i < expected.size(); ++i) {
      error += (got[i] - expected[i]) * (got[i] - expected[i]);
      power += expected[i] * expected[i];
    }
    out.layers[l].error = power > 0 ? std::sqrt(error / power) : 0;
    if (!head) continue;
    out.compared = calibration.first_count;
    if (from.image_sign != 0) {
      out.same_answers = SamePixels(pictures.pixels, got, expected, from.scaling.scale[0]);
      continue;
    }
    int same = 0;
    for (int n = 0; n < calibration.first_count; ++n) {
      const auto at = static_cast<ptrdiff_t>(static_cast<size_t>(n) * channels);
      const auto end = at + static_cast<ptrdiff_t>(channels);
      const auto best = [&](const std::vector<double>& v) {
        return std::max_element(v.begin() + at, v.begin() + end) - v.begin();
      };
      same += best(got) == best(expected) ? 1 : 0;
    }
    out.same_answers = static_cast<double>(same) / calibration.first_count;
  }
  return OkStatus();
}

}  // namespace

Result<CalibratedNetwork> CalibrateOnnx(std::span<const uint8_t> bytes, const Pictures& pictures,
                                        const ImportOptions& options) {
  BRAID_RETURN_IF_ERROR(CheckOptions(pictures, options));
  BRAID_ASSIGN_OR_RETURN(const OnnxGraph graph, ParseOnnx(bytes));
  InputScaling scaling;
  for (size_t c = 0; c < static_cast<size_t>(pictures.channels); ++c) {
    const double mean = options.mean[options.mean.size() == 1 ? 0 : c];
    const double std = options.std[options.std.size() == 1 ? 0 : c];
    scaling.scale.push_back(1 / std);
    scaling.shift.push_back(-mean / std);
  }
  CalibratedNetwork out;
  BRAID_ASSIGN_OR_RETURN(
      out.network, LowerGraph(graph, scaling, pictures.height, pictures.width, pictures.channels));
  BRAID_ASSIGN_OR_RETURN(out.calibration, Calibrate(graph, out.network, pictures, options));
  return out;
}

std::string ShownName(const FloatLayer& layer) {
  std::string name = layer.name.substr(0, kMaxShownBytes);
  for (char& c : name) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return name;
}

Result<ImportedModel> ImportOnnx(std::span<const uint8_t> bytes, const Pictures& pictures,
                                 const ImportOptions& options) {
  if (options.bits != 8) return InvalidArgument("bits: a .braid model has 8");
  BRAID_ASSIGN_OR_RETURN(const CalibratedNetwork calibrated,
                         CalibrateOnnx(bytes, pictures, options));
  const FloatNetwork& from = calibrated.network;
  const Calibration& calibration = calibrated.calibration;
  BRAID_ASSIGN_OR_RETURN(QuantizedNetwork quantized, Quantize(from, calibration, options));

  ImportedModel out;
  out.padding_offset = from.padding_offset;
  out.network = std::move(quantized.network);
  model::Network& network = out.network;
  network.name = options.name;
  out.restores = from.image_sign != 0;
  network.labels = out.restores ? std::vector<std::string>{"added"} : options.labels;
  const int classes = from.layers.back().channels;
  if (network.labels.empty()) {
    for (int c = 0; c < classes; ++c) network.labels.push_back(std::to_string(c));
  }
  if (network.labels.size() != static_cast<size_t>(classes)) {
    return InvalidArgument("the graph has " + std::to_string(classes) + " classes, and there are " +
                           std::to_string(network.labels.size()) + " labels");
  }
  network.card = CardOf(options, pictures);
  model::OperatingPoint point;
  point.name = "g0";
  point.terms = {0};
  point.head = static_cast<model::LayerIndex>(network.layers.size()) - 1;
  BRAID_RETURN_IF_ERROR(model::Validate([&] {
    model::Network checked = network;
    checked.points = {point};
    return checked;
  }()));
  if (out.restores) BRAID_RETURN_IF_ERROR(model::RestorationRadius(network).status());
  const model::Cost cost = model::PointCost(network, point);
  point.macs_mean = point.macs_worst = cost.macs;
  point.weight_bytes = cost.weight_bytes;
  network.points = {point};

  for (size_t l = 0; l < from.layers.size(); ++l) {
    const bool bounded = quantized.bounds[l] > 0;
    out.layers.push_back(
        {.name = ShownName(from.layers[l]),
         .op = OpName(from.layers[l]),
         .bound = quantized.bounds[l],
         .clipped_share = bounded ? calibration.layers[l].clipped_share : 0,
         .step = from.layers[l].op == Op::kLinear ? quantized.logit_step : quantized.map_steps[l],
         .weight_step = quantized.weight_steps[l],
         .error = 0});
  }
  BRAID_RETURN_IF_ERROR(Compare(from, quantized, calibration, pictures, out));
  BRAID_ASSIGN_OR_RETURN(const auto added, verify::AddTestVectors(network, pictures.pixels));
  (void)added;
  return out;
}

}  // namespace braid::convert
