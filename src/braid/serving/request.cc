#include "braid/serving/request.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <utility>

#include "braid/protocol/names.h"
#include "braid/serving/parameters.h"

namespace braid::serving {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using InputTensor = ModelInferRequest::InferInputTensor;

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

std::string Dimensions(const google::protobuf::RepeatedField<int64_t>& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.size(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

// The images in the tensor, or what is wrong with its name, datatype or shape.
Result<int> CheckInput(const InputTensor& input, const model::Network& network, int max_batch) {
  if (input.name() != protocol::kInputTensor) {
    return InvalidArgument("input tensor " + Quoted(input.name()) + ": the model's only input is " +
                           Quoted(protocol::kInputTensor));
  }
  if (input.datatype() != protocol::kUint8) {
    return InvalidArgument("input tensor \"input\": datatype is " + Quoted(input.datatype()) +
                           ", must be UINT8");
  }
  const auto& shape = input.shape();
  if (shape.size() != 4 || shape[1] != network.input_h || shape[2] != network.input_w ||
      shape[3] != network.input_c) {
    return InvalidArgument("input tensor \"input\": shape is " + Dimensions(shape) +
                           ", must be [N," + std::to_string(network.input_h) + "," +
                           std::to_string(network.input_w) + "," + std::to_string(network.input_c) +
                           "]");
  }
  if (shape[0] < 1 || shape[0] > max_batch) {
    return InvalidArgument("input tensor \"input\": shape is " + Dimensions(shape) +
                           ", N must be between 1 and " + std::to_string(max_batch));
  }
  return static_cast<int>(shape[0]);
}

bool HasOtherContents(const inference::InferTensorContents& contents) {
  return contents.bool_contents_size() > 0 || contents.int_contents_size() > 0 ||
         contents.int64_contents_size() > 0 || contents.uint64_contents_size() > 0 ||
         contents.fp32_contents_size() > 0 || contents.fp64_contents_size() > 0 ||
         contents.bytes_contents_size() > 0;
}

Result<std::vector<uint8_t>> ReadPixels(const ModelInferRequest& request, int64_t expected) {
  const InputTensor& input = request.inputs(0);
  const auto wrong_size = [expected](int64_t have) {
    return InvalidArgument("input tensor \"input\": " + std::to_string(have) +
                           " elements, its shape says " + std::to_string(expected));
  };
  if (request.raw_input_contents_size() > 0) {
    if (input.has_contents()) {
      return InvalidArgument(
          "input tensor \"input\": both contents and raw_input_contents; use one");
    }
    if (request.raw_input_contents_size() != 1) {
      return InvalidArgument(
          "raw_input_contents: " + std::to_string(request.raw_input_contents_size()) +
          " entries for 1 input");
    }
    const std::string& raw = request.raw_input_contents(0);
    if (static_cast<int64_t>(raw.size()) != expected) {
      return wrong_size(static_cast<int64_t>(raw.size()));
    }
    return std::vector<uint8_t>(raw.begin(), raw.end());
  }
  if (!input.has_contents()) {
    return InvalidArgument("input tensor \"input\": neither contents nor raw_input_contents");
  }
  if (HasOtherContents(input.contents())) {
    return InvalidArgument("input tensor \"input\": UINT8 elements belong into uint_contents");
  }
  const auto& values = input.contents().uint_contents();
  if (values.size() != expected) return wrong_size(values.size());
  std::vector<uint8_t> pixels(static_cast<size_t>(expected));
  for (int i = 0; i < values.size(); ++i) {
    if (values[i] > 255) {
      return InvalidArgument("input tensor \"input\": element " + std::to_string(i) + " is " +
                             std::to_string(values[i]) + ", UINT8 ends at 255");
    }
    pixels[static_cast<size_t>(i)] = static_cast<uint8_t>(values[i]);
  }
  return pixels;
}

Result<std::vector<Output>> ReadOutputs(const ModelInferRequest& request) {
  if (request.outputs_size() == 0) return std::vector{Output::kLogits, Output::kClass};
  std::vector<Output> outputs;
  for (const auto& asked : request.outputs()) {
    const bool logits = asked.name() == protocol::kLogitsTensor;
    if (!logits && asked.name() != protocol::kClassTensor) {
      return InvalidArgument("output tensor " + Quoted(asked.name()) +
                             ": the model's outputs are \"logits\" and \"class\"");
    }
    const std::string where = "output tensor " + Quoted(asked.name());
    BRAID_RETURN_IF_ERROR(RefuseParameters(asked.parameters(), where));
    const Output output = logits ? Output::kLogits : Output::kClass;
    if (std::find(outputs.begin(), outputs.end(), output) != outputs.end()) {
      return InvalidArgument(where + ": asked for twice");
    }
    outputs.push_back(output);
  }
  return outputs;
}

// Elements as little-endian bytes, the protocol's raw form.
template <typename T>
std::string RawBytes(std::span<const T> values) {
  static_assert(std::endian::native == std::endian::little, "swap the bytes here");
  std::string raw(values.size_bytes(), '\0');
  if (!raw.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return raw;
}

// Which head answered, counted from the input: the network's exits in order.
int ExitIndex(const model::Network& network, model::LayerIndex head) {
  int index = 0;
  for (int layer = 0; layer < head && layer < static_cast<int>(network.layers.size()); ++layer) {
    if (network.layers[static_cast<size_t>(layer)].op == model::Op::kLinear) ++index;
  }
  return index;
}

void FillParameters(const cluster::InferResult& result, const model::Network& network,
                    ModelInferResponse* response) {
  auto& out = *response->mutable_parameters();
  const model::OperatingPoint& point = network.points.at(static_cast<size_t>(result.point));
  std::string devices;
  for (const std::string& device : result.devices) devices += (devices.empty() ? "" : ",") + device;
  out[std::string(protocol::kOperatingPoint)].set_string_param(point.name);
  out[std::string(protocol::kDevices)].set_string_param(devices);
  out[std::string(protocol::kMacs)].set_int64_param(result.macs);
  out[std::string(protocol::kExit)].set_int64_param(ExitIndex(network, point.head));
  out[std::string(protocol::kFailovers)].set_int64_param(result.failovers);
}

}  // namespace

Status CheckModelName(const model::Network& network, const std::string& name,
                      const std::string& version) {
  if (!name.empty() && name != network.name) {
    return NotFound("model " + Quoted(name) + ": this device serves " + Quoted(network.name));
  }
  if (!version.empty() && version != protocol::kModelVersion) {
    return NotFound("model " + Quoted(network.name) + ": no version " + Quoted(version) +
                    ", only " + Quoted(protocol::kModelVersion));
  }
  return OkStatus();
}

Result<ParsedRequest> ParseRequest(const ModelInferRequest& request, const model::Network& network,
                                   int max_batch, std::optional<Duration> call_remaining) {
  BRAID_RETURN_IF_ERROR(CheckModelName(network, request.model_name(), request.model_version()));
  ParsedRequest parsed;
  parsed.form.id = request.id();
  control::Constraints& constraints = parsed.infer.constraints;
  BRAID_RETURN_IF_ERROR(ReadParameters(request.parameters(), network, &constraints));
  if (call_remaining.has_value()) {
    if (*call_remaining <= Duration::zero()) return DeadlineExceeded("the call's deadline passed");
    constraints.remaining =
        std::min(*call_remaining, constraints.remaining.value_or(*call_remaining));
  }

  if (request.inputs_size() != 1) {
    return InvalidArgument("inputs: " + std::to_string(request.inputs_size()) +
                           " tensors, the model takes one, \"input\"");
  }
  const InputTensor& input = request.inputs(0);
  BRAID_ASSIGN_OR_RETURN(const int images, CheckInput(input, network, max_batch));
  BRAID_RETURN_IF_ERROR(RefuseParameters(input.parameters(), "input tensor \"input\""));
  const int64_t elements = int64_t{images} * network.input_h * network.input_w * network.input_c;
  BRAID_ASSIGN_OR_RETURN(parsed.infer.pixels, ReadPixels(request, elements));
  constraints.images = images;
  BRAID_ASSIGN_OR_RETURN(parsed.form.outputs, ReadOutputs(request));
  parsed.form.raw = request.raw_input_contents_size() > 0;
  return parsed;
}

void FillResponse(const cluster::InferResult& result, const ReplyForm& form,
                  const model::Network& network, ModelInferResponse* response) {
  response->set_model_name(network.name);
  response->set_model_version(std::string(protocol::kModelVersion));
  response->set_id(form.id);
  FillParameters(result, network, response);
  const auto classes = static_cast<int64_t>(network.labels.size());
  for (const Output output : form.outputs) {
    auto* tensor = response->add_outputs();
    tensor->add_shape(result.images);
    switch (output) {
      case Output::kLogits:
        tensor->set_name(std::string(protocol::kLogitsTensor));
        tensor->set_datatype(std::string(protocol::kInt32));
        tensor->add_shape(classes);
        if (form.raw) {
          response->add_raw_output_contents(RawBytes(std::span(result.logits)));
        } else {
          tensor->mutable_contents()->mutable_int_contents()->Add(result.logits.begin(),
                                                                  result.logits.end());
        }
        break;
      case Output::kClass:
        tensor->set_name(std::string(protocol::kClassTensor));
        tensor->set_datatype(std::string(protocol::kInt64));
        if (form.raw) {
          response->add_raw_output_contents(RawBytes(std::span(result.classes)));
        } else {
          tensor->mutable_contents()->mutable_int64_contents()->Add(result.classes.begin(),
                                                                    result.classes.end());
        }
        break;
    }
  }
}

void FillMetadata(const model::Network& network, inference::ModelMetadataResponse* response) {
  response->set_name(network.name);
  response->add_versions(std::string(protocol::kModelVersion));
  response->set_platform(std::string(protocol::kPlatform));
  const auto tensor = [](auto* to, std::string_view name, std::string_view datatype,
                         std::initializer_list<int64_t> shape) {
    to->set_name(std::string(name));
    to->set_datatype(std::string(datatype));
    for (const int64_t dimension : shape) to->add_shape(dimension);
  };
  tensor(response->add_inputs(), protocol::kInputTensor, protocol::kUint8,
         {-1, network.input_h, network.input_w, network.input_c});
  tensor(response->add_outputs(), protocol::kLogitsTensor, protocol::kInt32,
         {-1, static_cast<int64_t>(network.labels.size())});
  tensor(response->add_outputs(), protocol::kClassTensor, protocol::kInt64, {-1});
}

}  // namespace braid::serving
