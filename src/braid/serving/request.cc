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

void FillParameters(const cluster::InferResult& result, const model::Network& network,
                    ModelInferResponse* response) {
  auto& out = *response->mutable_parameters();
  const model::OperatingPoint& point = network.points.at(static_cast<size_t>(result.point));
  out[std::string(protocol::kOperatingPoint)].set_string_param(point.name);
  out[std::string(protocol::kDevices)].set_string_param(DeviceList(result));
  out[std::string(protocol::kMacs)].set_int64_param(result.macs);
  out[std::string(protocol::kExit)].set_int64_param(ExitIndex(network, point.head));
  out[std::string(protocol::kFailovers)].set_int64_param(result.failovers);
}

}  // namespace

int ExitIndex(const model::Network& network, model::LayerIndex head) {
  int index = 0;
  for (int layer = 0; layer < head && layer < static_cast<int>(network.layers.size()); ++layer) {
    if (network.layers[static_cast<size_t>(layer)].op == model::Op::kLinear) ++index;
  }
  return index;
}

std::string DeviceList(const cluster::InferResult& result) {
  std::string devices;
  for (const std::string& device : result.devices) devices += (devices.empty() ? "" : ",") + device;
  return devices;
}

std::span<const int32_t> LogitsOf(const Answer& answer, const model::Network& network) {
  const size_t classes = network.labels.size();
  return std::span(answer.result->logits)
      .subspan(static_cast<size_t>(answer.first_image) * classes,
               static_cast<size_t>(answer.images) * classes);
}

std::span<const int64_t> ClassesOf(const Answer& answer) {
  return std::span(answer.result->classes)
      .subspan(static_cast<size_t>(answer.first_image), static_cast<size_t>(answer.images));
}

Result<ParsedRequest> ParseRequest(const ModelInferRequest& request, const model::Network& network,
                                   int max_batch, std::optional<Duration> call_remaining) {
  ParsedRequest parsed;
  parsed.form.id = request.id();
  control::Constraints& constraints = parsed.infer.constraints;
  BRAID_RETURN_IF_ERROR(ReadParameters(request.parameters(), network, &constraints));
  BRAID_RETURN_IF_ERROR(
      ReadScheduling(request.parameters(), &parsed.priority, &constraints.remaining));
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

Job MakeJob(ParsedRequest parsed, TimePoint arrived) {
  Job job;
  job.pixels = std::move(parsed.infer.pixels);
  job.constraints = parsed.infer.constraints;
  job.arrived = arrived;
  if (const auto remaining = parsed.infer.constraints.remaining) job.deadline = arrived + *remaining;
  job.priority = parsed.priority;
  job.parsing = std::chrono::steady_clock::now() - arrived;
  return job;
}

void FillResponse(const Answer& answer, const ReplyForm& form, const model::Network& network,
                  ModelInferResponse* response) {
  response->set_id(form.id);
  FillParameters(*answer.result, network, response);
  const auto classes = static_cast<int64_t>(network.labels.size());
  const auto logits = LogitsOf(answer, network);
  const auto indices = ClassesOf(answer);
  for (const Output output : form.outputs) {
    auto* tensor = response->add_outputs();
    tensor->add_shape(answer.images);
    switch (output) {
      case Output::kLogits:
        tensor->set_name(std::string(protocol::kLogitsTensor));
        tensor->set_datatype(std::string(protocol::kInt32));
        tensor->add_shape(classes);
        if (form.raw) {
          response->add_raw_output_contents(RawBytes(logits));
        } else {
          tensor->mutable_contents()->mutable_int_contents()->Add(logits.begin(), logits.end());
        }
        break;
      case Output::kClass:
        tensor->set_name(std::string(protocol::kClassTensor));
        tensor->set_datatype(std::string(protocol::kInt64));
        if (form.raw) {
          response->add_raw_output_contents(RawBytes(indices));
        } else {
          tensor->mutable_contents()->mutable_int64_contents()->Add(indices.begin(), indices.end());
        }
        break;
    }
  }
}

}  // namespace braid::serving
