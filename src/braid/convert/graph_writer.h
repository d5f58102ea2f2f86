// Builds an ONNX graph node by node. Layer: convert, internal. Operators: the ONNX standard, opset 13.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "braid/convert/onnx_proto.h"

namespace braid::convert {

// Names of values are unique by construction; constants with equal content are stored once each time
// they are added. All functions return the name of the value that they define.
class GraphWriter {
 public:
  explicit GraphWriter(std::string_view name) { graph_.set_name(std::string(name)); }

  // An initializer. `shape` {} is a scalar; its product is the number of values.
  std::string Int8(const std::string& name, const std::vector<int64_t>& shape,
                   const std::vector<int8_t>& values);
  std::string Uint8(const std::string& name, const std::vector<int64_t>& shape,
                    const std::vector<uint8_t>& values);
  std::string Int32(const std::string& name, const std::vector<int64_t>& shape,
                    const std::vector<int32_t>& values);
  std::string Int64(const std::string& name, const std::vector<int64_t>& shape,
                    const std::vector<int64_t>& values);
  std::string Float(const std::string& name, const std::vector<int64_t>& shape,
                    const std::vector<float>& values);

  // A node with one output, called `output`. Inputs may be empty strings (left out).
  std::string Node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::string& output);

  // Attributes of the node that was added last.
  void SetInt(const std::string& attribute, int64_t value);
  void SetInts(const std::string& attribute, const std::vector<int64_t>& values);

  // A graph input or output, images or vectors; an extent of -1 is free, and called by its place:
  // "N", "H", "W".
  void Input(const std::string& name, onnx::TensorProto::DataType type,
             const std::vector<int64_t>& shape);
  void Output(const std::string& name, onnx::TensorProto::DataType type,
              const std::vector<int64_t>& shape);

  // The model's bytes. Nothing may be added afterwards.
  std::vector<uint8_t> Finish(const std::string& producer_version, const std::string& documentation);

 private:
  std::string Constant(const std::string& name, onnx::TensorProto::DataType type,
                       const std::vector<int64_t>& shape, const void* data, size_t bytes);
  static void Describe(onnx::ValueInfoProto& info, const std::string& name,
                       onnx::TensorProto::DataType type, const std::vector<int64_t>& shape);

  onnx::GraphProto graph_;
};

}  // namespace braid::convert
