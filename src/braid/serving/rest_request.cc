#include "braid/serving/rest_request.h"

#include <charconv>
#include <string>
#include <utility>

#include "braid/protocol/names.h"
#include "braid/serving/rest_json.h"

namespace braid::serving {
namespace {

using inference::InferParameter;
using ParameterMap = google::protobuf::Map<std::string, InferParameter>;

Result<size_t> ReadLength(std::string_view text, size_t body) {
  size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size() || length > body) {
    return InvalidArgument("Inference-Header-Content-Length \"" + std::string(text.substr(0, 32)) +
                           "\": must be a number up to the body's " + std::to_string(body) +
                           " bytes");
  }
  return length;
}

// Takes a parameter of the binary extension out, so that it does not look like somebody else's.
std::optional<InferParameter> Take(ParameterMap* parameters, const std::string& name) {
  const auto found = parameters->find(name);
  if (found == parameters->end()) return std::nullopt;
  InferParameter value = std::move(found->second);
  parameters->erase(found);
  return value;
}

Result<std::optional<bool>> TakeFlag(ParameterMap* parameters, const std::string& name,
                                     const std::string& where) {
  const auto value = Take(parameters, name);
  if (!value) return std::optional<bool>();
  if (!value->has_bool_param()) {
    return InvalidArgument(where + ": parameter \"" + name + "\" must be true or false");
  }
  return std::optional(value->bool_param());
}

// The whole body is the one input.
Result<RestRequest> ReadRawBody(std::string_view body, const std::vector<int64_t>& image_shape) {
  RestRequest request;
  size_t image_bytes = 1;
  for (const int64_t dimension : image_shape) image_bytes *= static_cast<size_t>(dimension);
  if (body.empty() || body.size() % image_bytes != 0) {
    return InvalidArgument("raw body of " + std::to_string(body.size()) +
                           " bytes: must be whole images of " + std::to_string(image_bytes));
  }
  auto* input = request.message.add_inputs();
  input->set_name(std::string(protocol::kInputTensor));
  input->set_datatype(std::string(protocol::kUint8));
  input->add_shape(static_cast<int64_t>(body.size() / image_bytes));
  for (const int64_t dimension : image_shape) input->add_shape(dimension);
  request.message.add_raw_input_contents(body.data(), body.size());
  request.binary.all = true;
  return request;
}

}  // namespace

Result<RestRequest> ReadRestRequest(std::string_view body,
                                    std::optional<std::string_view> json_length,
                                    const std::vector<int64_t>& image_shape) {
  size_t length = body.size();
  if (json_length) {
    BRAID_ASSIGN_OR_RETURN(length, ReadLength(*json_length, body.size()));
    if (length == 0) return ReadRawBody(body, image_shape);
  }
  RestRequest request;
  std::vector<bool> has_data;
  BRAID_RETURN_IF_ERROR(ReadRestJson(body.substr(0, length), &request.message, &has_data));

  std::string_view rest = body.substr(length);
  int binary_inputs = 0;
  for (int i = 0; i < request.message.inputs_size(); ++i) {
    auto* input = request.message.mutable_inputs(i);
    const std::string where = "inputs[" + std::to_string(i) + "]";
    const auto size = Take(input->mutable_parameters(), "binary_data_size");
    if (!size) {
      if (!has_data[static_cast<size_t>(i)]) {
        return InvalidArgument(where + ": neither data nor binary_data_size");
      }
      continue;
    }
    if (has_data[static_cast<size_t>(i)]) {
      return InvalidArgument(where + ": both data and binary_data_size");
    }
    if (!json_length) {
      return InvalidArgument(where + ": binary_data_size needs Inference-Header-Content-Length");
    }
    if (!size->has_int64_param() || size->int64_param() < 0 ||
        static_cast<uint64_t>(size->int64_param()) > rest.size()) {
      return InvalidArgument(where + ": binary_data_size must be a number up to the " +
                             std::to_string(rest.size()) + " bytes that are left of the body");
    }
    ++binary_inputs;
    request.message.add_raw_input_contents(rest.data(), static_cast<size_t>(size->int64_param()));
    rest.remove_prefix(static_cast<size_t>(size->int64_param()));
  }
  if (!rest.empty()) {
    return InvalidArgument(std::to_string(rest.size()) + " bytes after the last binary tensor");
  }
  if (binary_inputs > 0 && binary_inputs != request.message.inputs_size()) {
    return InvalidArgument("inputs: all binary or none");
  }

  auto* parameters = request.message.mutable_parameters();
  BRAID_ASSIGN_OR_RETURN(const auto all, TakeFlag(parameters, "binary_data_output", "request"));
  request.binary.all = all.value_or(false);
  for (int i = 0; i < request.message.outputs_size(); ++i) {
    auto* output = request.message.mutable_outputs(i);
    const std::string where = "outputs[" + std::to_string(i) + "]";
    BRAID_ASSIGN_OR_RETURN(const auto own,
                           TakeFlag(output->mutable_parameters(), "binary_data", where));
    request.binary.outputs.push_back(own);
    if (output->parameters().contains("classification")) {
      return InvalidArgument(where + ": the classification extension is not supported");
    }
  }
  return request;
}

}  // namespace braid::serving
