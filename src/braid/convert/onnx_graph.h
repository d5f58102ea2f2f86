// An ONNX file as plain data, checked: what import and evaluation read. Layer: convert.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::convert {

// Values are doubles whatever the file's type: all of float32, and of integers up to 2^53, exactly.
// `integer`: an integer type, so that Div cuts off.
struct OnnxTensor {
  std::vector<int64_t> shape;  // row-major
  std::vector<double> values;
  bool integer = false;
  double least = 0, most = 255;  // of 8-bit types, for saturation
  int64_t Elements() const;
};

struct OnnxNode {
  std::string op;
  std::string name;  // for messages: "Conv 'layer1/conv'"
  std::vector<std::string> inputs;  // "" where left out
  std::vector<std::string> outputs;
  std::map<std::string, std::vector<int64_t>> ints;  // INT and INTS attributes
  std::map<std::string, double> floats;
  std::map<std::string, std::string> strings;
  std::string Title() const;
};

struct OnnxGraph {
  std::string input;                 // the one that is no initializer
  std::vector<int64_t> input_shape;  // -1: free
  bool input_is_bytes = false;       // uint8; float otherwise
  std::vector<std::string> outputs;
  std::map<std::string, OnnxTensor> constants;
  std::vector<OnnxNode> nodes;  // in an order in which every value is defined before it is read
};

// Most bytes of a file, elements of a tensor, nodes of a graph: far above what Braid can import.
inline constexpr uint64_t kMaxOnnxBytes = uint64_t{1} << 30;
inline constexpr int64_t kMaxOnnxElements = int64_t{1} << 26;
inline constexpr int kMaxOnnxNodes = 1 << 14;

// Treats `bytes` as hostile. INVALID_ARGUMENT for what is no ONNX model or contradicts itself,
// UNIMPLEMENTED for what this reader does not take (operators of other domains, tensors in other files,
// types other than float, double and integers, control flow); the message names node or tensor.
Result<OnnxGraph> ParseOnnx(std::span<const uint8_t> bytes);

// "[1,3,32,32]".
std::string ShapeText(const std::vector<int64_t>& shape);

}  // namespace braid::convert
