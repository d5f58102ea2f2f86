#include "braid/client/codec.h"

#include <cstring>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "braid/protocol/names.h"

namespace braid::client {
namespace {

using inference::ModelInferResponse;

Status Malformed(const std::string& what) { return Internal("malformed reply: " + what); }

const inference::InferParameter* Find(const ModelInferResponse& response, std::string_view name) {
  const auto found = response.parameters().find(std::string(name));
  return found == response.parameters().end() ? nullptr : &found->second;
}

std::string TextOf(const ModelInferResponse& response, std::string_view name) {
  const auto* value = Find(response, name);
  return value == nullptr ? "" : value->string_param();
}

int64_t NumberOf(const ModelInferResponse& response, std::string_view name) {
  const auto* value = Find(response, name);
  return value == nullptr ? 0 : value->int64_param();
}

int SmallNumberOf(const ModelInferResponse& response, std::string_view name) {
  const int64_t value = NumberOf(response, name);
  return value < 0 || value > std::numeric_limits<int>::max() ? 0 : static_cast<int>(value);
}

// Elements of output `index`, from its raw or its repeated form.
template <typename T, typename Repeated>
Result<std::vector<T>> Elements(const ModelInferResponse& response, int index,
                                const Repeated& repeated) {
  if (response.raw_output_contents_size() == 0) {
    return std::vector<T>(repeated.begin(), repeated.end());
  }
  if (response.raw_output_contents_size() != response.outputs_size()) {
    return Malformed(std::to_string(response.raw_output_contents_size()) +
                     " raw_output_contents for " + std::to_string(response.outputs_size()) +
                     " outputs");
  }
  const std::string& raw = response.raw_output_contents(index);
  if (raw.size() % sizeof(T) != 0) {
    return Malformed("output \"" + response.outputs(index).name() +
                     "\": " + std::to_string(raw.size()) + " bytes");
  }
  std::vector<T> values(raw.size() / sizeof(T));
  if (!raw.empty()) std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

}  // namespace

Result<inference::ModelInferRequest> EncodeRequest(const InferRequest& request,
                                                   const std::string& model) {
  const int64_t expected =
      int64_t{request.images} * request.height * request.width * request.channels;
  if (request.images < 1 || request.height < 1 || request.width < 1 || request.channels < 1 ||
      expected != static_cast<int64_t>(request.pixels.size())) {
    return InvalidArgument("request: " + std::to_string(request.pixels.size()) +
                           " pixels for shape [" + std::to_string(request.images) + "," +
                           std::to_string(request.height) + "," + std::to_string(request.width) +
                           "," + std::to_string(request.channels) + "]");
  }
  inference::ModelInferRequest message;
  message.set_model_name(model);
  auto* input = message.add_inputs();
  input->set_name(std::string(protocol::kInputTensor));
  input->set_datatype(std::string(protocol::kUint8));
  for (const int dimension : {request.images, request.height, request.width, request.channels}) {
    input->add_shape(dimension);
  }
  message.add_raw_input_contents(request.pixels.data(), request.pixels.size());
  auto& parameters = *message.mutable_parameters();
  if (!request.operating_point.empty()) {
    parameters[std::string(protocol::kOperatingPoint)].set_string_param(request.operating_point);
  }
  if (request.max_macs) {
    parameters[std::string(protocol::kMaxMacs)].set_int64_param(*request.max_macs);
  }
  if (request.max_energy_mj) {
    parameters[std::string(protocol::kMaxEnergyMj)].set_double_param(*request.max_energy_mj);
  }
  if (request.min_accuracy) {
    parameters[std::string(protocol::kMinAccuracy)].set_double_param(*request.min_accuracy);
  }
  if (request.strict) parameters[std::string(protocol::kStrict)].set_bool_param(true);
  return message;
}

Result<InferReply> DecodeResponse(const ModelInferResponse& response, int images) {
  InferReply reply;
  reply.images = images;
  bool has_classes = false;
  for (int i = 0; i < response.outputs_size(); ++i) {
    const auto& output = response.outputs(i);
    if (output.name() == protocol::kLogitsTensor) {
      BRAID_ASSIGN_OR_RETURN(reply.logits,
                             Elements<int32_t>(response, i, output.contents().int_contents()));
    } else if (output.name() == protocol::kClassTensor) {
      BRAID_ASSIGN_OR_RETURN(reply.classes,
                             Elements<int64_t>(response, i, output.contents().int64_contents()));
      has_classes = true;
    }
  }
  if (!has_classes || reply.classes.size() != static_cast<size_t>(images)) {
    return Malformed("output \"class\": " + std::to_string(reply.classes.size()) +
                     " elements for " + std::to_string(images) + " images");
  }
  if (reply.logits.empty() || reply.logits.size() % static_cast<size_t>(images) != 0) {
    return Malformed("output \"logits\": " + std::to_string(reply.logits.size()) +
                     " elements for " + std::to_string(images) + " images");
  }
  reply.model = response.model_name();
  reply.version = response.model_version();
  reply.operating_point = TextOf(response, protocol::kOperatingPoint);
  reply.devices = SplitAtCommas(TextOf(response, protocol::kDevices));
  reply.macs = NumberOf(response, protocol::kMacs);
  reply.exit = SmallNumberOf(response, protocol::kExit);
  reply.failovers = SmallNumberOf(response, protocol::kFailovers);
  return reply;
}

Result<ModelInfo> DecodeMetadata(const inference::ModelMetadataResponse& response) {
  const auto fits = [](int64_t dimension) { return dimension > 0 && dimension <= 1 << 20; };
  if (response.inputs_size() != 1 || response.inputs(0).shape_size() != 4 ||
      !fits(response.inputs(0).shape(1)) || !fits(response.inputs(0).shape(2)) ||
      !fits(response.inputs(0).shape(3))) {
    return Malformed("model \"" + response.name() + "\" does not take one input [N,H,W,C]");
  }
  ModelInfo info;
  info.name = response.name();
  if (response.versions_size() > 0) info.version = response.versions(0);
  info.platform = response.platform();
  info.height = static_cast<int>(response.inputs(0).shape(1));
  info.width = static_cast<int>(response.inputs(0).shape(2));
  info.channels = static_cast<int>(response.inputs(0).shape(3));
  for (const auto& output : response.outputs()) {
    if (output.name() == protocol::kLogitsTensor && output.shape_size() == 2 &&
        fits(output.shape(1))) {
      info.classes = static_cast<int>(output.shape(1));
    }
  }
  return info;
}

}  // namespace braid::client
