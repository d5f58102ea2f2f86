#include "braid/serving/descriptions.h"

#include <initializer_list>

#include "braid/protocol/names.h"

namespace braid::serving {
namespace {

void Copy(const DurationSum& from, inference::StatisticDuration* to) {
  to->set_count(from.count);
  to->set_ns(static_cast<uint64_t>(from.sum.count()));
}

void FillOne(const ServedModel& model, inference::ModelStatistics* out) {
  const StatisticsSnapshot now = model.statistics().Snapshot();
  out->set_name(model.name());
  out->set_version(model.version());
  out->set_last_inference(now.last_inference_ms);
  out->set_inference_count(now.images);
  out->set_execution_count(now.executions);
  auto* sums = out->mutable_inference_stats();
  Copy(now.success, sums->mutable_success());
  Copy(now.failure, sums->mutable_fail());
  Copy(now.queue, sums->mutable_queue());
  Copy(now.compute_input, sums->mutable_compute_input());
  Copy(now.compute_infer, sums->mutable_compute_infer());
  Copy(now.compute_output, sums->mutable_compute_output());
  for (const auto& [images, durations] : now.batches) {
    auto* batch = out->add_batch_stats();
    batch->set_batch_size(static_cast<uint64_t>(images));
    // Input and output are the doors' work, request by request; an execution has none of its own.
    Copy({.count = durations.count, .sum = {}}, batch->mutable_compute_input());
    Copy(durations, batch->mutable_compute_infer());
    Copy({.count = durations.count, .sum = {}}, batch->mutable_compute_output());
  }
}

}  // namespace

void FillServerMetadata(const std::string& version, inference::ServerMetadataResponse* response) {
  response->set_name("braid");
  response->set_version(version);
  for (const char* extension : {"binary_tensor_data", "model_configuration", "model_repository",
                                "statistics", "braid_parameters"}) {
    response->add_extensions(extension);
  }
}

void FillMetadata(const ServedModel& model, const std::vector<std::string>& versions,
                  inference::ModelMetadataResponse* response) {
  const model::Network& network = model.network();
  response->set_name(model.name());
  for (const std::string& version : versions) response->add_versions(version);
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

void FillConfig(const ServedModel& model, inference::ModelConfig* config) {
  const model::Network& network = model.network();
  config->set_name(model.name());
  config->set_platform(std::string(protocol::kPlatform));
  config->set_backend("braid");
  config->set_max_batch_size(model.max_batch());
  config->set_default_model_filename("model.braid");
  auto* input = config->add_input();
  input->set_name(std::string(protocol::kInputTensor));
  input->set_data_type(inference::TYPE_UINT8);
  for (const int dimension : {network.input_h, network.input_w, network.input_c}) {
    input->add_dims(dimension);
  }
  auto* logits = config->add_output();
  logits->set_name(std::string(protocol::kLogitsTensor));
  logits->set_data_type(inference::TYPE_INT32);
  logits->add_dims(static_cast<int64_t>(network.labels.size()));
  auto* classes = config->add_output();
  classes->set_name(std::string(protocol::kClassTensor));
  classes->set_data_type(inference::TYPE_INT64);  // no dimension beside the batch
  const DispatchOptions& dispatch = model.options().dispatch;
  auto* batching = config->mutable_dynamic_batching();
  batching->set_max_queue_delay_microseconds(static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(dispatch.max_delay).count()));
}

Status FillStatistics(const Catalog& catalog, const std::string& name, const std::string& version,
                      inference::ModelStatisticsResponse* response) {
  if (!name.empty()) {
    const auto found = catalog.Find(name, version);
    if (!found.ok()) return found.status();
    if (!version.empty()) {
      FillOne(**found, response->add_model_stats());
      return OkStatus();
    }
  }
  for (const Catalog::ModelPtr& model : catalog.Models()) {
    if (name.empty() || model->name() == name) FillOne(*model, response->add_model_stats());
  }
  return OkStatus();
}

void FillIndex(const Catalog& catalog, bool ready_only, inference::RepositoryIndexResponse* index) {
  for (const Catalog::IndexEntry& entry : catalog.Index()) {
    const bool ready = entry.reason.ok();
    if (ready_only && !ready) continue;
    auto* out = index->add_models();
    out->set_name(entry.name);
    out->set_version(entry.version);
    out->set_state(ready ? "READY" : "UNAVAILABLE");
    if (!ready) out->set_reason(entry.reason.ToString());
  }
}

Status RefuseLoading() {
  return {StatusCode::kPermissionDenied, "loading and unloading over the network is off"};
}

}  // namespace braid::serving
