// What the compared schemes take from calibration pictures: extremes and entropy thresholds. Layer:
// convert.
#include <algorithm>
#include <cmath>

#include "braid/convert/scheme.h"

namespace braid::convert {
namespace {

constexpr size_t kBins = 2048;  // of magnitudes, as TensorRT has them

template <typename Visit>
void ForEachRange(std::vector<LayerRanges>& ranges, const FloatMaps& maps, Visit visit) {
  for (size_t l = 1; l < ranges.size(); ++l) {
    visit(3 * l, ranges[l].sum, maps.sum[l]);
    visit(3 * l + 1, ranges[l].wide, maps.wide[l]);
    visit(3 * l + 2, ranges[l].map, maps.map[l]);
  }
}

double Largest(const Range& range) { return std::max(-range.low, range.high); }

}  // namespace

size_t EntropyBins(const std::vector<double>& histogram, size_t levels) {
  double best = -1;
  size_t best_bins = histogram.size();
  double beyond = 0;
  for (const double count : histogram) beyond += count;
  const double total = beyond;
  for (size_t i = 0; i < std::min(levels, histogram.size()); ++i) beyond -= histogram[i];
  for (size_t bins = levels; bins <= histogram.size(); ++bins) {
    // P: what lies beyond is clipped into the last bin. Q: the same bins in `levels` levels, each
    // level's count spread over those of its bins that are not empty.
    double kept = total - beyond, divergence = 0;
    for (size_t level = 0; kept > 0 && level < levels; ++level) {
      const size_t first = level * bins / levels, last = (level + 1) * bins / levels;
      double count = 0, filled = 0;
      for (size_t b = first; b < last; ++b) {
        count += histogram[b];
        filled += histogram[b] > 0 ? 1 : 0;
      }
      for (size_t b = first; b < last; ++b) {
        const double p = (histogram[b] + (b + 1 == bins ? beyond : 0)) / total;
        if (p <= 0) continue;
        // A clipped mass where no value was: Q is 0 there; as small as one value would be.
        const double q = histogram[b] > 0 ? count / filled / kept : 1 / total;
        divergence += p * std::log(p / q);
      }
    }
    if (kept > 0 && (best < 0 || divergence < best)) best = divergence, best_bins = bins;
    if (bins < histogram.size()) beyond -= histogram[bins];
  }
  return best_bins;
}

std::vector<LayerRanges> MeasureRanges(const FloatNetwork& network,
                                       std::span<const uint8_t> pictures, int count, int bits) {
  const FloatRun run(network);
  std::vector<LayerRanges> ranges(network.layers.size());
  const size_t bytes = pictures.size() / static_cast<size_t>(count);
  const auto picture = [&](int n) { return pictures.subspan(static_cast<size_t>(n) * bytes, bytes); };
  for (int n = 0; n < count; ++n) {
    ForEachRange(ranges, run.Run(picture(n)), [](size_t, Range& range, const auto& values) {
      for (const double v : values) {
        range.low = std::min(range.low, v);
        range.high = std::max(range.high, v);
      }
    });
  }
  std::vector<std::vector<double>> histograms(3 * ranges.size(), std::vector<double>(kBins, 0));
  for (int n = 0; n < count; ++n) {
    ForEachRange(ranges, run.Run(picture(n)), [&](size_t at, Range& range, const auto& values) {
      const double largest = Largest(range);
      if (!(largest > 0)) return;
      for (const double v : values) {
        const auto bin = static_cast<size_t>(std::abs(v) / largest * kBins);
        ++histograms[at][std::min(bin, kBins - 1)];
      }
    });
  }
  const size_t levels = size_t{1} << (bits - 1);
  ForEachRange(ranges, FloatMaps{LayerMaps(ranges.size()), LayerMaps(ranges.size()), LayerMaps(ranges.size())},
               [&](size_t at, Range& range, const auto&) {
                 std::vector<double>& histogram = histograms[at];
                 if (!(Largest(range) > 0)) return;
                 // Zeros of a ReLU are exact in every scale: they would only drown the rest.
                 histogram[0] = histogram[1];
                 const size_t bins = EntropyBins(histogram, levels);
                 range.threshold = Largest(range) * static_cast<double>(bins) / kBins;
               });
  return ranges;
}

}  // namespace braid::convert
