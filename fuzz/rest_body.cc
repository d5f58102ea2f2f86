// The body of an inference request over REST: JSON, and JSON with binary tensors behind it.
#include <nlohmann/json.hpp>
#include <string>

#include "braid/serving/request.h"
#include "braid/serving/rest_request.h"
#include "braid/serving/serving_testing.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

using nlohmann::json;

const model::Network& Network() {
  static const model::ModelFile file = serving::TestModel();
  return file.network;
}

void Take(std::string_view body, std::optional<std::string_view> json_length) {
  const model::Network& network = Network();
  const auto request = serving::ReadRestRequest(
      body, json_length, {network.input_h, network.input_w, network.input_c});
  if (request.ok()) (void)serving::ParseRequest(request->message, network, 4, std::nullopt);
}

void RunJson(std::span<const uint8_t> input) { Take(ToText(input), std::nullopt); }

// The first line is the header Inference-Header-Content-Length.
void RunBinary(std::span<const uint8_t> input) {
  const std::string_view text = ToText(input);
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return;
  const std::string_view body = text.substr(end + 1);
  const std::string_view length = text.substr(0, end);
  if (length != "+") return Take(body, length);
  // "+": the JSON ends at the last '}', whatever a change did to its length.
  Take(body, std::to_string(body.rfind('}') + 1));
}

json Request() {
  return {{"id", "42"},
          {"parameters", {{"braid_deadline_ms", 100}, {"priority", 1}}},
          {"inputs",
           {{{"name", "input"},
             {"shape", {1, 2, 3, 1}},
             {"datatype", "UINT8"},
             {"data", {1, 2, 3, 4, 5, 6}}}}},
          {"outputs", {{{"name", "class"}, {"parameters", {{"binary_data", true}}}}}}};
}

std::vector<Bytes> JsonSeeds() {
  json nested = Request();
  nested["inputs"][0]["data"] = {{{{1}, {2}, {3}}, {{4}, {5}, {6}}}};
  json other = Request();
  other["inputs"][0]["datatype"] = "FP32";
  other["inputs"][0]["data"] = {1.5, 2, -3e10, true};
  other["unknown"] = {{"a", {nullptr, "b"}}};
  other["parameters"] = {{"braid_strict", true},      {"braid_operating_point", "g0+1"},
                         {"braid_min_accuracy", 0.5}, {"braid_max_macs", 1000},
                         {"timeout", 1000},           {"binary_data_output", true}};
  json texts = Request();
  texts["inputs"][0]["datatype"] = "BYTES";
  texts["inputs"][0]["data"] = {"a", "\u00e9"};
  return {ToBytes(Request().dump()), ToBytes(nested.dump()), ToBytes(other.dump()),
          ToBytes(texts.dump())};
}

std::vector<Bytes> BinarySeeds() {
  json request = Request();
  request["inputs"][0].erase("data");
  request["inputs"][0]["parameters"] = {{"binary_data_size", 6}};
  const std::string text = request.dump();
  const std::string pixels = "abcdef";
  return {ToBytes(std::to_string(text.size()) + "\n" + text + pixels),
          ToBytes("+\n" + text + pixels), ToBytes("0\n" + pixels + pixels)};
}

}  // namespace

const Target kRestJson = {"rest_json", RunJson, JsonSeeds};
const Target kRestBinary = {"rest_binary", RunBinary, BinarySeeds};

}  // namespace braid::fuzz
