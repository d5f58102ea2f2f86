#include "braid/kernels/generated/block.h"

#include <algorithm>
#include <limits>
#include <set>
#include <span>

#include "braid/kernels/convolution/tile.h"
#include "braid/kernels/generated/spans.h"

namespace braid::kernels::generated {
namespace {

// One pointer register a output and source (loop_nest.cc).
constexpr int kMaxOutputsOfAPass = 7;
// Beyond this a row of pointers and tables costs more than it saves.
constexpr int kMaxVectors = 8;
// Half of a 32 KiB L1 holds weights that all blocks of pixels meet again.
constexpr int64_t kL1WeightBytes = 20 * 1024;
// Hundredths of a cycle, as all times here.
constexpr int64_t kBlockOverhead = 300;
constexpr int64_t kPassOverhead = 3200;

int WidthIndex(int lanes) { return lanes == 16 ? 2 : lanes == 8 ? 1 : 0; }

int64_t Steps(const ConvolutionShape& shape) {
  int64_t steps = 0;
  for (const SourceShape& source : shape.sources) steps += RunsOf(source).total_steps();
  return steps;
}

bool IsSigned(const ConvolutionShape& shape) {
  return std::any_of(shape.sources.begin(), shape.sources.end(),
                     [](const SourceShape& s) { return s.encoding == Encoding::kS8; });
}

bool HasColumnEdges(const ConvolutionShape& shape) {
  return std::any_of(shape.sources.begin(), shape.sources.end(), [](const SourceShape& s) {
    return s.edges.left > 0 || s.edges.right < Edges::kNone;
  });
}

// Work of a row of columns.
struct Row {
  int columns = 0;
  int64_t steps = 0;  // of a column
  bool is_signed = false;
  // [n]: what the first (last) n columns need less than n * steps, since they read the padding.
  std::vector<int64_t> left_out_first, left_out_last;
  std::vector<int64_t> shared_columns;  // [pixels]: that a block of a depthwise shape reads
};

// Columns of the map that the windows of `pixels` adjacent columns read, of all groups of rows.
int64_t SharedColumns(const ConvolutionShape& shape, int pixels) {
  int64_t count = 0;
  for (const SourceShape& source : shape.sources) {
    if (!source.depthwise) continue;
    std::set<int64_t> columns;
    for (int p = 0; p < pixels; ++p) {
      for (int kx = 0; kx < source.kernel_w; ++kx) {
        columns.insert(p * source.column_stride + kx * source.tap_stride_w);
      }
    }
    count += static_cast<int64_t>(columns.size()) * RunsOf(source).rows;
  }
  return count;
}

Row RowOf(const RegisterModel& model, const ConvolutionShape& shape) {
  Row row{shape.columns, Steps(shape), IsSigned(shape), {}, {}, {}};
  const int most = HasColumnEdges(shape) ? std::min(shape.columns, model.accumulators) : 0;
  row.left_out_first.assign(static_cast<size_t>(model.accumulators) + 1, 0);
  row.left_out_last = row.left_out_first;
  row.shared_columns.assign(static_cast<size_t>(model.accumulators) + 1, 0);
  if (shape.sources[0].depthwise) {
    for (int n = 1; n <= model.accumulators; ++n) {
      row.shared_columns[static_cast<size_t>(n)] = SharedColumns(shape, n);
    }
  }
  for (int n = 1; n <= most; ++n) {
    const auto at = static_cast<size_t>(n);
    row.left_out_first[at] = row.left_out_first[at - 1] + row.steps - StepsOf(shape, n - 1);
    row.left_out_last[at] =
        row.left_out_last[at - 1] + row.steps - StepsOf(shape, shape.columns - n);
  }
  return row;
}

// Time of a pass over one row of columns, by throughput of multipliers, of loads and of L2.
int64_t RowTime(const RegisterModel& model, std::span<const Vector> vectors, const Row& row,
                int at_most) {
  int64_t dot = 0, load = 0, weight_bytes = 0;
  for (const Vector& v : vectors) {
    dot += model.dot[WidthIndex(v.lanes)];
    load += model.load[WidthIndex(v.lanes)];
    weight_bytes += v.lanes * 4;
  }
  const bool streams = weight_bytes * row.steps > kL1WeightBytes;
  const auto block_time = [&](int pixels, int64_t left_out) {
    const int64_t pixel_steps = row.steps * pixels - left_out;
    const int sums = pixels * static_cast<int>(vectors.size());
    int64_t multiply =
        std::max(dot * pixel_steps, row.steps * (model.latency / ChainsFor(model, sums)));
    if (row.is_signed) {
      multiply = multiply * model.signed_dot_percent / 100 + model.signed_pixel * pixel_steps;
    }
    const int64_t columns = row.shared_columns[static_cast<size_t>(pixels)];
    multiply += model.column * columns * static_cast<int64_t>(vectors.size());
    int64_t loads = columns > 0 ? 0 : load * row.steps + model.broadcast * pixel_steps;
    if (streams) {
      loads = std::max(loads, row.steps * (weight_bytes * 100 / model.l2_bytes_per_cycle));
    }
    const int64_t vectors_time = dot * pixels;
    const int64_t late = std::max<int64_t>(vectors_time - model.overlapped, 0);
    const int64_t epilogue = (vectors_time + late) * model.epilogue_percent / 100;
    // Not quite parallel in practice: a little of the smaller shows.
    return std::max(multiply, loads) + std::min(multiply, loads) / 20 + epilogue + kBlockOverhead;
  };
  const std::vector<Segment> segments = SplitColumns(row.columns, at_most);
  if (segments.empty()) return 0;
  const auto left_out = [](const std::vector<int64_t>& of, const Segment& segment) {
    return of[static_cast<size_t>(segment.pixels)];
  };
  if (segments.size() == 1 && segments[0].count == 1) {
    return block_time(segments[0].pixels, left_out(row.left_out_first, segments[0]));
  }
  const Segment& first = segments.front();
  const Segment& last = segments.back();
  int64_t time = block_time(first.pixels, left_out(row.left_out_first, first)) +
                 block_time(last.pixels, left_out(row.left_out_last, last)) -
                 block_time(first.pixels, 0) - block_time(last.pixels, 0);
  for (const Segment& segment : segments) time += segment.count * block_time(segment.pixels, 0);
  return time;
}

int MaxPixels(const RegisterModel& model, size_t vectors) {
  return std::max(1, model.accumulators / static_cast<int>(vectors));
}

bool OneColumnStreams(std::span<const Vector> vectors, int64_t steps) {
  int64_t bytes = 0;
  for (const Vector& v : vectors) bytes += v.lanes * 4 * steps;
  return bytes > kL1WeightBytes * 4;
}

int OutputsIn(std::span<const Vector> vectors) {
  return vectors.empty() ? 0 : vectors.back().output - vectors.front().output + 1;
}

}  // namespace

// Zen 4: a 512-bit vpdpbusd occupies both multipliers; loads are two of 256 bits a cycle.
const RegisterModel kAvx512VnniModel = {.widest_lanes = 16,
                                        .accumulators = 28,
                                        .dot = {50, 50, 100},
                                        .load = {50, 50, 100},
                                        .epilogue_percent = 250,
                                        .overlapped = 1400,
                                        .unrolled_dots = 360};
const RegisterModel kAvx2Model = {.widest_lanes = 8,
                                  .accumulators = 12,
                                  .dot = {100, 100, 200},
                                  .load = {50, 50, 100},
                                  .signed_dot_percent = 130,
                                  .signed_pixel = 100,
                                  .latency = 200,
                                  .unrolled_dots = 120};

std::vector<Vector> VectorsOf(const ConvolutionShape& pass) {
  std::vector<Vector> vectors;
  for (size_t o = 0; o < pass.outputs.size(); ++o) {
    const OutputShape& output = pass.outputs[o];
    for (int first = 0, panel = 0; first < output.channels; first += output.panel_lanes, ++panel) {
      const int valid = std::min(output.channels - first, output.panel_lanes);
      vectors.push_back({static_cast<int>(o), panel, first, valid > 8 ? 16 : valid > 4 ? 8 : 4, valid});
    }
  }
  return vectors;
}

std::vector<Segment> SplitColumns(int columns, int at_most) {
  std::vector<Segment> segments;
  if (columns <= 0) return segments;
  const int blocks = (columns + at_most - 1) / at_most;
  const int large = (columns + blocks - 1) / blocks;
  const int small_blocks = blocks * large - columns;
  segments.push_back({blocks - small_blocks, large});
  if (small_blocks > 0) segments.push_back({small_blocks, large - 1});
  return segments;
}

std::vector<RowPart> RowPartsOf(const ConvolutionShape& pass, int at_most) {
  std::vector<RowPart> parts;
  int column = 0;
  for (const Segment& segment : SplitColumns(pass.columns, at_most)) {
    parts.push_back({column, segment.pixels, segment.count, false});
    column += segment.pixels * segment.count;
  }
  if (parts.empty() || !HasColumnEdges(pass)) return parts;
  const int64_t steps = Steps(pass);
  const auto leaves_map = [&](int first_column, int pixels) {
    for (int p = 0; p < pixels; ++p) {
      if (StepsOf(pass, first_column + p) < steps) return true;
    }
    return false;
  };
  RowPart first = parts.front();
  first.count = 1;
  first.edge = leaves_map(first.first_column, first.pixels);
  if (first.edge) {
    RowPart& rest = parts.front();
    rest.first_column += first.pixels;
    if (--rest.count == 0) parts.erase(parts.begin());
    parts.insert(parts.begin(), first);
    if (parts.size() == 1) return parts;
  }
  RowPart last = parts.back();
  last.first_column += (last.count - 1) * last.pixels;
  last.count = 1;
  last.edge = leaves_map(last.first_column, last.pixels);
  if (last.edge) {
    if (--parts.back().count == 0) parts.pop_back();
    parts.push_back(last);
  }
  return parts;
}

int ChainsFor(const RegisterModel& model, int sums) {
  constexpr int kWanted = 8;  // latency times rate, of both widths
  if (sums >= kWanted) return 1;
  return std::min((kWanted + sums - 1) / sums, model.accumulators / sums);
}

int PixelsFor(const RegisterModel& model, const ConvolutionShape& pass) {
  const std::vector<Vector> vectors = VectorsOf(pass);
  const Row row = RowOf(model, pass);
  int best = 1;
  int64_t best_time = std::numeric_limits<int64_t>::max();
  for (int pixels = MaxPixels(model, vectors.size()); pixels >= 1; --pixels) {
    const int64_t time = RowTime(model, vectors, row, pixels);
    if (time < best_time) {
      best = pixels;
      best_time = time;
    }
  }
  return best;
}

std::vector<int> CutVectors(const RegisterModel& model, const ConvolutionShape& shape,
                            int multiple) {
  const std::vector<Vector> vectors = VectorsOf(shape);
  const auto total = static_cast<int>(vectors.size());
  const Row row = RowOf(model, shape);
  std::vector<int> best;
  int64_t best_time = std::numeric_limits<int64_t>::max();
  // One column reads each weight once: as many streams as can be, and few passes.
  const bool once = shape.columns == 1 && OneColumnStreams(vectors, row.steps);
  const int widest = std::min(kMaxVectors, model.accumulators);
  for (int width = widest; width >= (once ? widest : 1); --width) {
    if (width % multiple != 0 && width < total) continue;
    std::vector<int> cuts = {0};
    int64_t time = 0;
    while (cuts.back() < total) {
      int end = std::min(total, cuts.back() + width);
      const auto span = [&] {
        return std::span(vectors).subspan(static_cast<size_t>(cuts.back()),
                                          static_cast<size_t>(end - cuts.back()));
      };
      while (OutputsIn(span()) > kMaxOutputsOfAPass) --end;
      // A pass may start inside of an output only where a row of tables starts.
      while (end < total && vectors[static_cast<size_t>(end)].panel % multiple != 0) --end;
      int64_t least = std::numeric_limits<int64_t>::max();
      for (int pixels = MaxPixels(model, span().size()); pixels >= 1; --pixels) {
        least = std::min(least, RowTime(model, span(), row, pixels));
      }
      time += least + kPassOverhead;
      cuts.push_back(end);
    }
    if (time < best_time) {
      best = std::move(cuts);
      best_time = time;
    }
  }
  return best;
}

}  // namespace braid::kernels::generated
