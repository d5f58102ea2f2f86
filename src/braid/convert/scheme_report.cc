#include "braid/convert/scheme_report.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "braid/convert/calibrated_network.h"
#include "braid/convert/scheme.h"

namespace braid::convert {
namespace {

using model::Op;

Result<std::unique_ptr<SchemeNetwork>> Make(const CalibratedNetwork& from, const Pictures& pictures,
                                            const ImportOptions& options, Scheme scheme) {
  if (scheme == Scheme::kBounded) {
    BRAID_ASSIGN_OR_RETURN(QuantizedNetwork quantized,
                           Quantize(from.network, from.calibration, options));
    return MakeBounded(from.network, std::move(quantized), options.bits);
  }
  // Their maps have steps (and zero points) of their own, and one sum has one of each.
  for (const FloatLayer& layer : from.network.layers) {
    if (!layer.more_inputs.empty()) {
      return Unimplemented("this scheme of a network with a concatenation (layer '" +
                           ShownName(layer) + "')");
    }
  }
  const std::vector<LayerRanges> ranges =
      MeasureRanges(from.network, pictures.pixels, pictures.count, options.bits);
  if (scheme == Scheme::kMinMax) return MakeMinMax(from.network, ranges, options.bits);
  return MakeEntropy(from.network, ranges, options.bits, options.step_per_layer);
}

int Best(const std::vector<double>& logits) {
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace

Result<SchemeReport> MeasureScheme(std::span<const uint8_t> bytes, const Pictures& calibration,
                                   const TestPictures& test, const ImportOptions& options,
                                   Scheme scheme) {
  const Pictures& pictures = test.pictures;
  if (pictures.count < 1 || pictures.height != calibration.height ||
      pictures.width != calibration.width || pictures.channels != calibration.channels ||
      test.targets.size() != static_cast<size_t>(pictures.count)) {
    return InvalidArgument("test pictures: none, or not of the calibration's shape");
  }
  BRAID_ASSIGN_OR_RETURN(const CalibratedNetwork from, CalibrateOnnx(bytes, calibration, options));
  if (from.network.image_sign != 0) {
    return Unimplemented(
        "a network that restores images has no classes to be right about; import it, and "
        "measure it with braid eval");
  }
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<SchemeNetwork> network,
                         Make(from, calibration, options, scheme));
  const FloatRun float_run(from.network);
  const size_t layers = from.network.layers.size();
  std::vector<double> error(layers, 0), power(layers, 0), clipped(layers, 0), values(layers, 0);
  SchemeReport report;
  report.images = pictures.count;
  const size_t picture = pictures.pixels.size() / static_cast<size_t>(pictures.count);
  for (int n = 0; n < pictures.count; ++n) {
    const auto pixels = pictures.pixels.subspan(static_cast<size_t>(n) * picture, picture);
    const LayerMaps expected = float_run.Run(pixels).map, got = network->Run(pixels);
    for (size_t l = 1; l < layers; ++l) {
      for (size_t i = 0; i < got[l].size(); ++i) {
        const double difference = got[l][i] - expected[l][i];
        error[l] += difference * difference;
        power[l] += expected[l][i] * expected[l][i];
        clipped[l] += network->Clips(l, expected[l][i]) ? 1 : 0;
      }
      values[l] += static_cast<double>(got[l].size());
    }
    const int target = test.targets[static_cast<size_t>(n)];
    const int float_class = Best(expected.back()), own_class = Best(got.back());
    report.float_right += float_class == target ? 1 : 0;
    report.right += own_class == target ? 1 : 0;
    report.same_class += own_class == float_class ? 1 : 0;
  }
  for (size_t l = 0; l < layers; ++l) {
    const FloatLayer& layer = from.network.layers[l];
    report.layers.push_back({.name = ShownName(layer),
                             .op = OpName(layer),
                             .bound = layer.op == Op::kLinear ? 0 : network->bound(l),
                             .clipped_share = values[l] > 0 ? clipped[l] / values[l] : 0,
                             .step = network->step(l),
                             .weight_step = network->weight_step(l),
                             .error = power[l] > 0 ? std::sqrt(error[l] / power[l]) : 0});
  }
  return report;
}

}  // namespace braid::convert
