#include "braid/kernels/generated/spans.h"

#include <algorithm>

namespace braid::kernels::generated {
namespace {

// Steps [begin, end) of a run that hold a byte of the map, for the window of one column.
struct Part {
  int begin = 0, end = 0;
};

Part InsideOf(const SourceShape& source, const Runs& runs, int run, int column) {
  const int64_t at = column * source.column_stride + run * source.tap_stride_w;
  const int64_t from = source.edges.left - at;  // the run's bytes that the map has
  const int64_t to = source.edges.right - at;
  if (from >= runs.bytes || to <= 0) return {};
  const int begin = from <= 0 ? 0 : static_cast<int>(from / 4);
  const int end = to >= runs.bytes ? runs.steps() : static_cast<int>((to + 3) / 4);
  return {begin, std::max(begin, end)};
}

}  // namespace

std::vector<Span> SpansOf(const SourceShape& source, const Runs& runs, int first_column,
                          int pixels) {
  std::vector<Span> spans;
  for (int run = 0; run < runs.per_row; ++run) {
    std::vector<Part> inside;
    for (int p = 0; p < pixels; ++p) inside.push_back(InsideOf(source, runs, run, first_column + p));
    uint32_t last = 0;  // what was live at the step before
    for (int i = 0; i < runs.steps(); ++i) {
      uint32_t live = 0;
      for (int p = 0; p < pixels; ++p) {
        const Part& part = inside[static_cast<size_t>(p)];
        if (i >= part.begin && i < part.end) live |= 1u << p;
      }
      if (live != 0 && live == last) {
        ++spans.back().steps;
      } else if (live != 0) {
        spans.push_back({run * source.tap_stride_w + int64_t{i} * 4, run * runs.steps() + i, 1, live});
      }
      last = live;
    }
  }
  return spans;
}

std::vector<Span> InnerSpans(const SourceShape& source, const Runs& runs, int pixels) {
  std::vector<Span> spans;
  for (int run = 0; run < runs.per_row; ++run) {
    spans.push_back({run * source.tap_stride_w, run * runs.steps(), runs.steps(),
                     static_cast<uint32_t>((uint64_t{1} << pixels) - 1)});
  }
  return spans;
}

int64_t StepsOf(const ConvolutionShape& shape, int column) {
  int64_t steps = 0;
  for (const SourceShape& source : shape.sources) {
    const Runs runs = RunsOf(source);
    for (int run = 0; run < runs.per_row; ++run) {
      const Part inside = InsideOf(source, runs, run, column);
      steps += int64_t{inside.end - inside.begin} * runs.rows;
    }
  }
  return steps;
}

}  // namespace braid::kernels::generated
