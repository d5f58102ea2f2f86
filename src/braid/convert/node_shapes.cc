// Operators that move values and change none. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>

#include "braid/convert/node_run.h"

namespace braid::convert {

Result<OnnxTensor> NodeRun::Squeeze() {
  OnnxTensor out = In();
  BRAID_RETURN_IF_ERROR(Rank(out, 4));
  if (out.shape[2] != 1 || out.shape[3] != 1) return Unimplemented("only of maps of 1x1");
  out.shape.resize(2);
  return out;
}

Result<OnnxTensor> NodeRun::Flatten() {
  OnnxTensor out = In();
  const int64_t axis = Int("axis", 1);
  if (axis != 1 || out.shape.empty()) return Unimplemented("an axis other than 1");
  const int64_t batch = out.shape[0];
  out.shape = {batch, batch == 0 ? 0 : static_cast<int64_t>(out.values.size()) / batch};
  return out;
}

Result<OnnxTensor> NodeRun::Reshape() {
  BRAID_RETURN_IF_ERROR(Need(2));
  OnnxTensor out = In();
  std::vector<int64_t> shape;
  int64_t known = 1;
  size_t open = 0;
  for (size_t i = 0; i < In(1).values.size(); ++i) {
    const double stated = In(1).values[i];
    if (!(stated >= -1 && stated <= kMaxOnnxElements)) return InvalidArgument("a bad shape");
    auto extent = static_cast<int64_t>(stated);
    if (extent == 0 && i < out.shape.size()) extent = out.shape[i];
    if (extent == -1) {
      ++open;
    } else {
      known *= extent;
      if (known > kMaxOnnxElements) return InvalidArgument("a bad shape");
    }
    shape.push_back(extent);
  }
  const auto elements = static_cast<int64_t>(out.values.size());
  if (open > 1 || known <= 0 || elements % known != 0 || (open == 0 && known != elements)) {
    return InvalidArgument("shape " + ShapeText(shape) + " does not fit " + ShapeText(out.shape));
  }
  for (int64_t& extent : shape) {
    if (extent == -1) extent = elements / known;
  }
  out.shape = std::move(shape);
  return out;
}

Result<OnnxTensor> NodeRun::Transpose() {
  const OnnxTensor& x = In();
  const size_t rank = x.shape.size();
  std::vector<int64_t> perm;
  for (size_t d = rank; d-- > 0;) perm.push_back(static_cast<int64_t>(d));
  if (const auto found = node_.ints.find("perm"); found != node_.ints.end()) perm = found->second;
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  for (size_t d = 0; d < sorted.size(); ++d) {
    if (sorted[d] != static_cast<int64_t>(d)) return InvalidArgument("a bad perm");
  }
  if (perm.size() != rank) return InvalidArgument("a bad perm");
  std::vector<int64_t> steps(rank, 1), shape;
  for (size_t d = rank; d-- > 1;) steps[d - 1] = steps[d] * x.shape[d];
  for (const int64_t p : perm) shape.push_back(x.shape[static_cast<size_t>(p)]);
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out, MakeTensor(shape, x.integer));
  std::vector<int64_t> at(rank, 0);
  int64_t from = 0;
  for (double& value : out.values) {
    value = x.values[static_cast<size_t>(from)];
    for (size_t d = rank; d-- > 0;) {
      const int64_t step = steps[static_cast<size_t>(perm[d])];
      from += step;
      if (++at[d] < shape[d]) break;
      from -= step * shape[d];
      at[d] = 0;
    }
  }
  return out;
}

Result<OnnxTensor> NodeRun::Concat() {
  BRAID_RETURN_IF_ERROR(Need(inputs_.size()));
  const auto rank = static_cast<int64_t>(In().shape.size());
  const int64_t stated = Int("axis", rank);
  const int64_t axis = stated < 0 ? stated + rank : stated;
  if (axis < 0 || axis >= rank) return InvalidArgument("a bad axis");
  const auto at = static_cast<size_t>(axis);
  std::vector<int64_t> shape = In().shape;
  shape[at] = 0;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    std::vector<int64_t> others = In(i).shape;
    BRAID_RETURN_IF_ERROR(Rank(In(i), static_cast<size_t>(rank)));
    others[at] = shape[at];
    if (others != shape || shape[at] > kMaxOnnxElements) {
      return InvalidArgument("shapes " + ShapeText(In().shape) + " and " + ShapeText(In(i).shape) +
                             " do not fit each other");
    }
    shape[at] += In(i).shape[at];
  }
  BRAID_ASSIGN_OR_RETURN(OnnxTensor out, MakeTensor(shape, In().integer));
  size_t outer = 1, inner = 1;
  for (size_t d = 0; d < at; ++d) outer *= static_cast<size_t>(shape[d]);
  for (size_t d = at + 1; d < shape.size(); ++d) inner *= static_cast<size_t>(shape[d]);
  auto to = out.values.begin();
  for (size_t row = 0; row < outer; ++row) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const size_t run = static_cast<size_t>(In(i).shape[at]) * inner;
      to = std::copy_n(In(i).values.begin() + static_cast<ptrdiff_t>(row * run), run, to);
    }
  }
  return out;
}

}  // namespace braid::convert
