#include "braid/serving/rest_reply.h"

#include <array>
#include <bit>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "braid/protocol/names.h"
#include "braid/serving/rest_status.h"

namespace braid::serving {
namespace {

using Json = nlohmann::ordered_json;

void AppendNumber(int64_t value, std::string* out) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out->append(text.data(), end);
}

void AppendMember(std::string_view name, std::string* out) {
  *out += '"';
  *out += name;
  *out += "\":";
}

template <typename T>
void AppendArray(std::span<const T> values, std::string* out) {
  *out += '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) *out += ',';
    AppendNumber(values[i], out);
  }
  *out += ']';
}

template <typename T>
void AppendBytes(std::span<const T> values, std::string* out) {
  static_assert(std::endian::native == std::endian::little, "swap the bytes here");
  out->append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

template <typename T>
void AppendTensor(std::string_view name, std::string_view datatype,
                  std::initializer_list<int64_t> shape, std::span<const T> values, bool binary,
                  std::string* json, std::string* tail) {
  *json += "{\"name\":\"";
  *json += name;
  *json += "\",\"datatype\":\"";
  *json += datatype;
  *json += "\",\"shape\":";
  AppendArray(std::span<const int64_t>(shape.begin(), shape.size()), json);
  if (binary) {
    *json += ",\"parameters\":{\"binary_data_size\":";
    AppendNumber(static_cast<int64_t>(values.size_bytes()), json);
    *json += "}}";
    AppendBytes(values, tail);
  } else {
    *json += ",\"data\":";
    AppendArray(values, json);
    *json += '}';
  }
}

void AppendParameters(const Answer& answer, const model::Network& network, std::string* json) {
  const cluster::InferResult& result = *answer.result;
  const model::OperatingPoint& point = network.points.at(static_cast<size_t>(result.point));
  *json += "\"parameters\":{";
  AppendMember(protocol::kOperatingPoint, json);
  AppendJsonString(point.name, json);
  *json += ',';
  AppendMember(protocol::kDevices, json);
  AppendJsonString(DeviceList(result), json);
  *json += ',';
  AppendMember(protocol::kMacs, json);
  AppendNumber(result.macs, json);
  *json += ',';
  AppendMember(protocol::kExit, json);
  AppendNumber(ExitIndex(network, point.head), json);
  *json += ',';
  AppendMember(protocol::kFailovers, json);
  AppendNumber(result.failovers, json);
  *json += "},";
}

HttpResponse Reply(const Json& json) {
  HttpResponse response;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

template <typename Repeated>
Json Array(const Repeated& values) {
  Json array = Json::array();
  for (const auto& value : values) array.push_back(value);
  return array;
}

Json DurationJson(const inference::StatisticDuration& duration) {
  return {{"count", duration.count()}, {"ns", duration.ns()}};
}

template <typename Tensor>
Json ConfigTensor(const Tensor& tensor) {
  return {{"name", tensor.name()},
          {"data_type", inference::DataType_Name(tensor.data_type())},
          {"dims", Array(tensor.dims())}};
}

}  // namespace

HttpResponse InferReply(const Answer& answer, const ReplyForm& form, const BinaryWish& binary,
                        const ServedModel& model) {
  const model::Network& network = model.network();
  HttpResponse response;
  std::string tail;
  std::string& json = response.body;
  json.reserve(512);
  json += "{\"model_name\":";
  AppendJsonString(model.name(), &json);
  json += ",\"model_version\":";
  AppendJsonString(model.version(), &json);
  json += ',';
  if (!form.id.empty()) {
    json += "\"id\":";
    AppendJsonString(form.id, &json);
    json += ',';
  }
  AppendParameters(answer, network, &json);
  json += "\"outputs\":[";
  for (size_t i = 0; i < form.outputs.size(); ++i) {
    if (i > 0) json += ',';
    const bool raw = i < binary.outputs.size() ? binary.outputs[i].value_or(binary.all) : binary.all;
    switch (form.outputs[i]) {
      case Output::kLogits:
        AppendTensor(protocol::kLogitsTensor, protocol::kInt32,
                     {answer.images, static_cast<int64_t>(network.labels.size())},
                     LogitsOf(answer, network), raw, &json, &tail);
        break;
      case Output::kClass:
        AppendTensor(protocol::kClassTensor, protocol::kInt64, {answer.images}, ClassesOf(answer),
                     raw, &json, &tail);
        break;
    }
  }
  json += "]}";
  if (!tail.empty()) {
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("Inference-Header-Content-Length", std::to_string(json.size()));
    json += tail;
  }
  return response;
}

HttpResponse JsonReply(const inference::ServerMetadataResponse& metadata) {
  return Reply({{"name", metadata.name()},
                {"version", metadata.version()},
                {"extensions", Array(metadata.extensions())}});
}

HttpResponse JsonReply(const inference::ModelMetadataResponse& metadata) {
  const auto tensors = [](const auto& list) {
    Json array = Json::array();
    for (const auto& tensor : list) {
      array.push_back({{"name", tensor.name()},
                       {"datatype", tensor.datatype()},
                       {"shape", Array(tensor.shape())}});
    }
    return array;
  };
  return Reply({{"name", metadata.name()},
                {"versions", Array(metadata.versions())},
                {"platform", metadata.platform()},
                {"inputs", tensors(metadata.inputs())},
                {"outputs", tensors(metadata.outputs())}});
}

HttpResponse JsonReply(const inference::ModelConfig& config) {
  Json inputs = Json::array(), outputs = Json::array();
  for (const auto& tensor : config.input()) inputs.push_back(ConfigTensor(tensor));
  for (const auto& tensor : config.output()) outputs.push_back(ConfigTensor(tensor));
  return Reply({{"name", config.name()},
                {"platform", config.platform()},
                {"backend", config.backend()},
                {"max_batch_size", config.max_batch_size()},
                {"default_model_filename", config.default_model_filename()},
                {"input", inputs},
                {"output", outputs},
                {"dynamic_batching",
                 {{"max_queue_delay_microseconds",
                   config.dynamic_batching().max_queue_delay_microseconds()}}}});
}

HttpResponse JsonReply(const inference::ModelStatisticsResponse& statistics) {
  Json models = Json::array();
  for (const auto& model : statistics.model_stats()) {
    const auto& sums = model.inference_stats();
    Json batches = Json::array();
    for (const auto& batch : model.batch_stats()) {
      batches.push_back({{"batch_size", batch.batch_size()},
                         {"compute_input", DurationJson(batch.compute_input())},
                         {"compute_infer", DurationJson(batch.compute_infer())},
                         {"compute_output", DurationJson(batch.compute_output())}});
    }
    models.push_back({{"name", model.name()},
                      {"version", model.version()},
                      {"last_inference", model.last_inference()},
                      {"inference_count", model.inference_count()},
                      {"execution_count", model.execution_count()},
                      {"inference_stats",
                       {{"success", DurationJson(sums.success())},
                        {"fail", DurationJson(sums.fail())},
                        {"queue", DurationJson(sums.queue())},
                        {"compute_input", DurationJson(sums.compute_input())},
                        {"compute_infer", DurationJson(sums.compute_infer())},
                        {"compute_output", DurationJson(sums.compute_output())}}},
                      {"batch_stats", batches}});
  }
  return Reply({{"model_stats", models}});
}

HttpResponse JsonReply(const inference::RepositoryIndexResponse& index) {
  Json models = Json::array();
  for (const auto& model : index.models()) {
    Json entry = {{"name", model.name()}, {"version", model.version()}, {"state", model.state()}};
    if (!model.reason().empty()) entry["reason"] = model.reason();
    models.push_back(std::move(entry));
  }
  return Reply(models);
}

}  // namespace braid::serving
