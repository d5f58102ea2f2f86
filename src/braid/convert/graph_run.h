// Runs an ONNX graph in double precision, operator by operator: slow and plain. Import takes its
// calibration from it and its tests their oracle; no device runs it. Layer: convert.
// Semantics: the ONNX operator pages (opset 7 to 13); quantization operators round halves to even.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/convert/onnx_graph.h"

namespace braid::convert {

// All values of the graph but its constants, for `input` ([N,...], fitting the graph's input).
// INVALID_ARGUMENT where shapes do not fit, UNIMPLEMENTED for operators other than those of
// docs/onnx.md; both name the node. RESOURCE_EXHAUSTED where a value would pass 2^26 elements or the
// run more than 2^36 multiply-adds.
Result<std::map<std::string, OnnxTensor>> RunGraph(const OnnxGraph& graph, OnnxTensor input);

// One node alone: `inputs` by position, nullptr where left out. Its first output.
Result<OnnxTensor> RunNode(const OnnxNode& node, std::vector<const OnnxTensor*> inputs);

}  // namespace braid::convert
