#include "braid/convert/onnx_graph.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "braid/convert/onnx_proto.h"

namespace braid::convert {
namespace {

constexpr int kMaxRank = 8;
constexpr size_t kMaxShownBytes = 80;

// Names come from the file: shortened, without control characters.
std::string Shown(const std::string& name) {
  std::string text = name.substr(0, kMaxShownBytes);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  return "'" + text + "'";
}

template <typename T>
void Unpack(const std::string& raw, std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
}

class Reader {
 public:
  Result<OnnxGraph> Run(const onnx::ModelProto& model) {
    if (!model.has_graph()) return InvalidArgument("no ONNX model: it has no graph");
    for (const auto& opset : model.opset_import()) {
      if (!opset.domain().empty() && opset.domain() != "ai.onnx") continue;
      if (opset.version() < 7) {
        return Unimplemented("opset " + std::to_string(opset.version()) + ", expected 7 or later");
      }
    }
    const onnx::GraphProto& graph = model.graph();
    if (graph.sparse_initializer_size() > 0) return Unimplemented("sparse initializers");
    if (graph.node_size() > kMaxOnnxNodes) {
      return Unimplemented(std::to_string(graph.node_size()) + " nodes, at most " +
                           std::to_string(kMaxOnnxNodes));
    }
    for (const onnx::TensorProto& tensor : graph.initializer()) {
      BRAID_RETURN_IF_ERROR(AddConstant(tensor.name(), tensor));
    }
    BRAID_RETURN_IF_ERROR(Inputs(graph));
    for (const onnx::NodeProto& node : graph.node()) BRAID_RETURN_IF_ERROR(Node(node));
    for (const onnx::ValueInfoProto& output : graph.output()) {
      if (!defined_.contains(output.name())) {
        return InvalidArgument("output " + Shown(output.name()) + ": no node makes it");
      }
      graph_.outputs.push_back(output.name());
    }
    if (graph_.outputs.empty()) return InvalidArgument("the graph has no output");
    return std::move(graph_);
  }

 private:
  Status Define(const std::string& name) {
    if (defined_.insert(name).second) return OkStatus();
    return InvalidArgument("value " + Shown(name) + " is defined twice");
  }

  Status AddConstant(const std::string& name, const onnx::TensorProto& from) {
    BRAID_RETURN_IF_ERROR(Define(name));
    Result<OnnxTensor> tensor = Tensor(from);
    if (!tensor.ok()) return tensor.status().WithContext("tensor " + Shown(name));
    graph_.constants.emplace(name, std::move(*tensor));
    return OkStatus();
  }

  // What all constants hold together, as doubles, stays within the limit of one tensor.
  Result<OnnxTensor> Tensor(const onnx::TensorProto& from) {
    OnnxTensor to;
    if (from.data_location() == onnx::TensorProto::EXTERNAL || from.external_data_size() > 0) {
      return Unimplemented("its values lie in another file");
    }
    if (from.dims_size() > kMaxRank) return Unimplemented("more than 8 dimensions");
    int64_t elements = 1;
    for (const int64_t extent : from.dims()) {
      if (extent < 0 || extent > kMaxOnnxElements) return InvalidArgument("a negative or huge extent");
      to.shape.push_back(extent);
      elements *= extent;
      if (elements > kMaxOnnxElements) return Unimplemented("more than 2^26 elements");
    }
    elements_ += elements;
    if (elements_ > kMaxOnnxElements) return Unimplemented("constants of more than 2^26 elements");
    size_t width = 0;
    int typed = 0;  // values outside of raw_data
    switch (from.data_type()) {
      case onnx::TensorProto::FLOAT:
        width = 4, typed = from.float_data_size();
        break;
      case onnx::TensorProto::DOUBLE:
        width = 8, typed = from.double_data_size();
        break;
      case onnx::TensorProto::INT64:
        width = 8, typed = from.int64_data_size(), to.integer = true;
        break;
      case onnx::TensorProto::INT32:
        width = 4, typed = from.int32_data_size(), to.integer = true;
        break;
      case onnx::TensorProto::INT8:
      case onnx::TensorProto::UINT8:
        width = 1, typed = from.int32_data_size(), to.integer = true;
        if (from.data_type() == onnx::TensorProto::INT8) to.least = -128, to.most = 127;
        break;
      default:
        return Unimplemented("type " + std::to_string(from.data_type()) +
                             ", expected float, double, int8, uint8, int32 or int64");
    }
    const auto count = static_cast<size_t>(elements);
    if (from.has_raw_data() ? from.raw_data().size() != count * width
                            : static_cast<size_t>(typed) != count) {
      return InvalidArgument("it does not hold as many values as its shape " +
                             ShapeText(to.shape) + " says");
    }
    to.values.resize(count);
    if (from.has_raw_data()) {
      Raw(from, to.values);
    } else {
      for (size_t i = 0; i < count; ++i) {
        const int at = static_cast<int>(i);
        switch (from.data_type()) {
          case onnx::TensorProto::FLOAT:
            to.values[i] = from.float_data(at);
            break;
          case onnx::TensorProto::DOUBLE:
            to.values[i] = from.double_data(at);
            break;
          case onnx::TensorProto::INT64:
            to.values[i] = static_cast<double>(from.int64_data(at));
            break;
          default:
            to.values[i] = from.int32_data(at);
        }
      }
    }
    const bool finite = std::all_of(to.values.begin(), to.values.end(),
                                    [](double v) { return v - v == 0; });
    if (!finite) return InvalidArgument("a value is infinite or no number");
    return to;
  }

  static void Raw(const onnx::TensorProto& from, std::vector<double>& values) {
    switch (from.data_type()) {
      case onnx::TensorProto::FLOAT:
        return Unpack<float>(from.raw_data(), values);
      case onnx::TensorProto::DOUBLE:
        return Unpack<double>(from.raw_data(), values);
      case onnx::TensorProto::INT64:
        return Unpack<int64_t>(from.raw_data(), values);
      case onnx::TensorProto::INT32:
        return Unpack<int32_t>(from.raw_data(), values);
      case onnx::TensorProto::INT8:
        return Unpack<int8_t>(from.raw_data(), values);
      default:
        return Unpack<uint8_t>(from.raw_data(), values);
    }
  }

  Status Inputs(const onnx::GraphProto& graph) {
    for (const onnx::ValueInfoProto& input : graph.input()) {
      if (graph_.constants.contains(input.name())) continue;  // old files list their weights too
      if (!graph_.input.empty()) return Unimplemented("more than one input");
      if (input.name().empty()) return InvalidArgument("an input without a name");
      BRAID_RETURN_IF_ERROR(Define(input.name()));
      graph_.input = input.name();
      if (!input.type().has_tensor_type()) {
        return Unimplemented("input " + Shown(input.name()) + ": no tensor");
      }
      graph_.input_is_bytes =
          input.type().tensor_type().elem_type() == onnx::TensorProto::UINT8;
      for (const auto& dimension : input.type().tensor_type().shape().dim()) {
        const int64_t extent = dimension.has_dim_value() ? dimension.dim_value() : -1;
        if (extent == 0 || extent < -1 || extent > kMaxOnnxElements) {
          return InvalidArgument("input " + Shown(input.name()) + ": a bad extent");
        }
        graph_.input_shape.push_back(extent);
      }
    }
    if (graph_.input.empty()) return InvalidArgument("the graph has no input");
    return OkStatus();
  }

  Status Node(const onnx::NodeProto& from) {
    OnnxNode to;
    to.op = from.op_type();
    to.name = from.name();
    if (!from.domain().empty() && from.domain() != "ai.onnx") {
      return Unimplemented("node " + Shown(from.name()) + ": operator " + Shown(from.op_type()) +
                           " of domain " + Shown(from.domain()));
    }
    for (const std::string& input : from.input()) {
      if (!input.empty() && !defined_.contains(input)) {
        return InvalidArgument(to.Title() + ": its input " + Shown(input) +
                               " is defined by no earlier node");
      }
      to.inputs.push_back(input);
    }
    for (const std::string& output : from.output()) {
      if (!output.empty()) BRAID_RETURN_IF_ERROR(Define(output).WithContext(to.Title()));
      to.outputs.push_back(output);
    }
    if (to.outputs.empty() || to.outputs[0].empty()) {
      return InvalidArgument(to.Title() + ": it has no output");
    }
    const onnx::TensorProto* constant = nullptr;
    for (const onnx::AttributeProto& attribute : from.attribute()) {
      switch (attribute.type()) {
        case onnx::AttributeProto::INT:
          to.ints[attribute.name()] = {attribute.i()};
          break;
        case onnx::AttributeProto::INTS:
          to.ints[attribute.name()] = {attribute.ints().begin(), attribute.ints().end()};
          break;
        case onnx::AttributeProto::FLOAT:
          to.floats[attribute.name()] = attribute.f();
          break;
        case onnx::AttributeProto::STRING:
          to.strings[attribute.name()] = attribute.s();
          break;
        case onnx::AttributeProto::TENSOR:
          constant = &attribute.t();
          break;
        default:
          return Unimplemented(to.Title() + ": attribute " + Shown(attribute.name()) +
                               " of a kind that import does not read");
      }
    }
    if (to.op == "Constant") {
      if (constant == nullptr) return Unimplemented(to.Title() + ": no tensor as its value");
      Result<OnnxTensor> tensor = Tensor(*constant);
      if (!tensor.ok()) return tensor.status().WithContext(to.Title());
      graph_.constants.emplace(to.outputs[0], std::move(*tensor));
      return OkStatus();
    }
    graph_.nodes.push_back(std::move(to));
    return OkStatus();
  }

  OnnxGraph graph_;
  std::set<std::string> defined_;
  int64_t elements_ = 0;
};

}  // namespace

int64_t OnnxTensor::Elements() const {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

std::string OnnxNode::Title() const {
  return "node " + Shown(name.empty() && !outputs.empty() ? outputs[0] : name) + " (" +
         (op.size() > kMaxShownBytes ? "?" : op) + ")";
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ",") + (shape[i] < 0 ? std::string("?") : std::to_string(shape[i]));
  }
  return text + "]";
}

Result<OnnxGraph> ParseOnnx(std::span<const uint8_t> bytes) {
  if (bytes.size() > kMaxOnnxBytes) return ResourceExhausted("an ONNX file above 1 GiB");
  onnx::ModelProto model;
  if (bytes.empty() || !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidArgument("not an ONNX file");
  }
  return Reader().Run(model);
}

}  // namespace braid::convert
