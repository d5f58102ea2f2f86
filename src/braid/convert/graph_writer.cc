#include "braid/convert/graph_writer.h"

#include <array>

namespace braid::convert {
namespace {

// 13: quantization per axis. ONNX Runtime reads it since 1.5.
constexpr int kOpset = 13;
constexpr int kIrVersion = 7;

}  // namespace

std::string GraphWriter::Constant(const std::string& name, onnx::TensorProto::DataType type,
                                  const std::vector<int64_t>& shape, const void* data,
                                  size_t bytes) {
  onnx::TensorProto* tensor = graph_.add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(type);
  for (const int64_t extent : shape) tensor->add_dims(extent);
  tensor->set_raw_data(data, bytes);  // little-endian, as the standard asks and every target is
  return name;
}

std::string GraphWriter::Int8(const std::string& name, const std::vector<int64_t>& shape,
                              const std::vector<int8_t>& values) {
  return Constant(name, onnx::TensorProto::INT8, shape, values.data(), values.size());
}
std::string GraphWriter::Uint8(const std::string& name, const std::vector<int64_t>& shape,
                               const std::vector<uint8_t>& values) {
  return Constant(name, onnx::TensorProto::UINT8, shape, values.data(), values.size());
}
std::string GraphWriter::Int32(const std::string& name, const std::vector<int64_t>& shape,
                               const std::vector<int32_t>& values) {
  return Constant(name, onnx::TensorProto::INT32, shape, values.data(), 4 * values.size());
}
std::string GraphWriter::Int64(const std::string& name, const std::vector<int64_t>& shape,
                               const std::vector<int64_t>& values) {
  return Constant(name, onnx::TensorProto::INT64, shape, values.data(), 8 * values.size());
}
std::string GraphWriter::Float(const std::string& name, const std::vector<int64_t>& shape,
                               const std::vector<float>& values) {
  return Constant(name, onnx::TensorProto::FLOAT, shape, values.data(), 4 * values.size());
}

std::string GraphWriter::Node(const std::string& op, const std::vector<std::string>& inputs,
                              const std::string& output) {
  onnx::NodeProto* node = graph_.add_node();
  node->set_op_type(op);
  node->set_name(output);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(output);
  return output;
}

void GraphWriter::SetInt(const std::string& attribute, int64_t value) {
  onnx::AttributeProto* to = graph_.mutable_node(graph_.node_size() - 1)->add_attribute();
  to->set_name(attribute);
  to->set_type(onnx::AttributeProto::INT);
  to->set_i(value);
}

void GraphWriter::SetInts(const std::string& attribute, const std::vector<int64_t>& values) {
  onnx::AttributeProto* to = graph_.mutable_node(graph_.node_size() - 1)->add_attribute();
  to->set_name(attribute);
  to->set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : values) to->add_ints(value);
}

void GraphWriter::Describe(onnx::ValueInfoProto& info, const std::string& name,
                           onnx::TensorProto::DataType type, const std::vector<int64_t>& shape) {
  info.set_name(name);
  onnx::TypeProto::Tensor* tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  static constexpr std::array kFree = {"N", "H", "W"};
  for (size_t i = 0; i < shape.size(); ++i) {
    onnx::TensorShapeProto::Dimension* dimension = tensor->mutable_shape()->add_dim();
    if (shape[i] < 0) {
      dimension->set_dim_param(kFree.at(i));
    } else {
      dimension->set_dim_value(shape[i]);
    }
  }
}

void GraphWriter::Input(const std::string& name, onnx::TensorProto::DataType type,
                        const std::vector<int64_t>& shape) {
  Describe(*graph_.add_input(), name, type, shape);
}
void GraphWriter::Output(const std::string& name, onnx::TensorProto::DataType type,
                         const std::vector<int64_t>& shape) {
  Describe(*graph_.add_output(), name, type, shape);
}

std::vector<uint8_t> GraphWriter::Finish(const std::string& producer_version,
                                         const std::string& documentation) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("braid");
  model.set_producer_version(producer_version);
  model.set_doc_string(documentation);
  onnx::OperatorSetIdProto* opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(kOpset);
  *model.mutable_graph() = std::move(graph_);
  std::vector<uint8_t> bytes(model.ByteSizeLong());
  model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

}  // namespace braid::convert
