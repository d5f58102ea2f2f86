#include "braid/kernels/generated/spans.h"

#include <algorithm>

namespace braid::kernels::generated {

std::vector<Span> SpansOf(const SourceShape& source, const Runs& runs, int first_column,
                          int pixels) {
  std::vector<Span> spans;
  for (int run = 0; run < runs.per_row; ++run) {
    for (int i = 0; i < runs.steps(); ++i) {
      const int64_t map_offset = run * source.tap_stride_w + int64_t{i} * 4;
      const int bytes = std::min(4, runs.bytes - i * 4);
      uint32_t live = 0;
      for (int p = 0; p < pixels; ++p) {
        const int64_t at = (first_column + p) * source.column_stride + map_offset;
        if (at + bytes > source.edges.left && at < source.edges.right) live |= 1u << p;
      }
      if (live == 0) continue;
      const int step = run * runs.steps() + i;
      const bool follows = i > 0 && !spans.empty() && spans.back().live == live &&
                           spans.back().first_step + spans.back().steps == step;
      if (follows) {
        ++spans.back().steps;
      } else {
        spans.push_back({map_offset, step, 1, live});
      }
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
    for (const Span& span : SpansOf(source, runs, column, 1)) {
      steps += int64_t{span.steps} * runs.rows;
    }
  }
  return steps;
}

}  // namespace braid::kernels::generated
