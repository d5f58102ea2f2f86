// ModelInfer as it comes over gRPC: the message's bytes, then what checks and answers it.
#include <memory>
#include <string>

#include "braid/base/check.h"
#include "braid/serving/request.h"
#include "braid/serving/serving_testing.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

using inference::ModelInferRequest;

void Run(std::span<const uint8_t> input) {
  ModelInferRequest request;
  if (!request.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  static const model::ModelFile file = serving::TestModel();
  auto parsed = serving::ParseRequest(request, file.network, 4, std::chrono::seconds(1));
  if (!parsed.ok()) return;
  const auto result =
      std::make_shared<const cluster::InferResult>(serving::FakeDevice::Answer(parsed->infer));
  inference::ModelInferResponse response;
  serving::FillResponse({.result = result, .first_image = 0, .images = result->images},
                        parsed->form, file.network, &response);
  BRAID_CHECK(response.outputs_size() == static_cast<int>(parsed->form.outputs.size()));
}

Bytes Encode(const ModelInferRequest& request) { return ToBytes(request.SerializeAsString()); }

std::vector<Bytes> Seeds() {
  ModelInferRequest raw;
  raw.set_model_name("test_model");
  raw.set_id("42");
  auto* input = raw.add_inputs();
  input->set_name("input");
  input->set_datatype("UINT8");
  for (const int extent : {2, 2, 3, 1}) input->add_shape(extent);
  ModelInferRequest typed = raw;
  raw.add_raw_input_contents("abcdefghijkl");
  for (uint32_t pixel = 0; pixel < 12; ++pixel) {
    typed.mutable_inputs(0)->mutable_contents()->add_uint_contents(pixel);
  }
  typed.add_outputs()->set_name("logits");
  ModelInferRequest wishes = raw;
  auto& parameters = *wishes.mutable_parameters();
  parameters["braid_deadline_ms"].set_double_param(20.5);
  parameters["braid_operating_point"].set_string_param("g0");
  parameters["braid_strict"].set_bool_param(true);
  parameters["braid_max_macs"].set_int64_param(10);
  parameters["priority"].set_uint64_param(2);
  parameters["timeout"].set_int64_param(1000);
  return {Encode(raw), Encode(typed), Encode(wishes)};
}

}  // namespace

const Target kGrpcInfer = {"grpc_infer", Run, Seeds};

}  // namespace braid::fuzz
