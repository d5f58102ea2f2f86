#include "braid/serving/metrics.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <map>
#include <vector>

#include "braid/serving/metrics_text.h"
#include "braid/serving/request.h"

namespace braid::serving {
namespace {

struct Sample {
  Catalog::ModelPtr model;
  StatisticsSnapshot now;
};

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

constexpr std::array<std::string_view, kRefusals> kOutcomes = {"rejected", "cancelled", "deadline",
                                                               "invalid", "failed"};

// One value for each model version.
template <typename Value>
void PerModel(MetricsText* text, const std::vector<Sample>& samples, std::string_view name,
              std::string_view type, std::string_view help, Value value) {
  text->Family(name, type, help);
  for (const Sample& sample : samples) {
    text->Sample({{"model", sample.model->name()}, {"version", sample.model->version()}},
                 value(sample));
  }
}

void WriteRequests(MetricsText* text, const std::vector<Sample>& samples) {
  text->Family("braid_requests_total", "counter", "Requests by what became of them.");
  for (const Sample& sample : samples) {
    const std::string &model = sample.model->name(), &version = sample.model->version();
    text->Sample({{"model", model}, {"version", version}, {"outcome", "answered"}},
                 sample.now.success.count);
    for (size_t i = 0; i < kRefusals; ++i) {
      text->Sample({{"model", model}, {"version", version}, {"outcome", kOutcomes[i]}},
                   sample.now.refused[i]);
    }
  }
  text->Family("braid_request_duration_seconds", "histogram",
               "From arrival to answer, of answered requests.");
  for (const Sample& sample : samples) {
    const std::string &model = sample.model->name(), &version = sample.model->version();
    const Histogram& histogram = sample.now.latency;
    uint64_t sum = 0;
    for (size_t i = 0; i < Histogram::kBoundsSeconds.size(); ++i) {
      sum += histogram.counts[i];
      std::array<char, 32> bound;
      std::snprintf(bound.data(), bound.size(), "%g", Histogram::kBoundsSeconds[i]);
      text->Sample({{"model", model}, {"version", version}, {"le", bound.data()}}, sum, "_bucket");
    }
    text->Sample({{"model", model}, {"version", version}, {"le", "+Inf"}},
                 histogram.total.count, "_bucket");
    text->Sample({{"model", model}, {"version", version}}, Seconds(histogram.total.sum), "_sum");
    text->Sample({{"model", model}, {"version", version}}, histogram.total.count, "_count");
  }
}

void WriteTimes(MetricsText* text, const std::vector<Sample>& samples) {
  text->Family("braid_request_stage_seconds_total", "counter",
               "Time of answered requests in each stage: input (read), queue, infer, output.");
  for (const Sample& sample : samples) {
    const std::pair<std::string_view, Duration> stages[] = {
        {"input", sample.now.compute_input.sum},
        {"queue", sample.now.queue.sum},
        {"infer", sample.now.compute_infer.sum},
        {"output", sample.now.compute_output.sum}};
    for (const auto& [stage, sum] : stages) {
      text->Sample({{"model", sample.model->name()},
                    {"version", sample.model->version()},
                    {"stage", stage}},
                   Seconds(sum));
    }
  }
}

// What nobody else has to tell.
void WriteBraided(MetricsText* text, const std::vector<Sample>& samples) {
  text->Family("braid_point_requests_total", "counter", "Answered requests by operating point.");
  for (const Sample& sample : samples) {
    for (const auto& [index, count] : sample.now.points) {
      const auto& point = sample.model->network().points.at(static_cast<size_t>(index));
      text->Sample({{"model", sample.model->name()},
                    {"version", sample.model->version()},
                    {"point", point.name}},
                   count);
    }
  }
  text->Family("braid_exit_requests_total", "counter", "Answered requests by the exit taken.");
  for (const Sample& sample : samples) {
    const model::Network& network = sample.model->network();
    std::map<int, uint64_t> exits;
    for (const auto& [index, count] : sample.now.points) {
      exits[ExitIndex(network, network.points.at(static_cast<size_t>(index)).head)] += count;
    }
    for (const auto& [exit, count] : exits) {
      text->Sample({{"model", sample.model->name()},
                    {"version", sample.model->version()},
                    {"exit", std::to_string(exit)}},
                   count);
    }
  }
  text->Family("braid_device_requests_total", "counter",
               "Answered requests by the devices that took part.");
  for (const Sample& sample : samples) {
    for (const auto& [device, count] : sample.now.devices) {
      text->Sample({{"model", sample.model->name()},
                    {"version", sample.model->version()},
                    {"device", device}},
                   count);
    }
  }
  PerModel(text, samples, "braid_failovers_total", "counter",
           "Attempts that the group gave up in answered requests.",
           [](const Sample& sample) { return sample.now.failovers; });
  PerModel(text, samples, "braid_budget_misses_total", "counter",
           "Requests taken on whose deadline passed before their answer.",
           [](const Sample& sample) { return sample.now.budget_misses; });
  PerModel(text, samples, "braid_peers", "gauge", "Devices of the group that can be used now.",
           [](const Sample& sample) { return static_cast<uint64_t>(sample.model->peers()); });
  PerModel(text, samples, "braid_peer_stalls_total", "counter",
           "Times that a device of the group was given up for a while since it delivered nothing.",
           [](const Sample& sample) { return static_cast<uint64_t>(sample.model->peer_stalls()); });
  text->Family("braid_peer_bytes_total", "counter", "Bytes between this device and its peers.");
  for (const Sample& sample : samples) {
    const std::string &model = sample.model->name(), &version = sample.model->version();
    const auto traffic = sample.model->device().Traffic();
    text->Sample({{"model", model}, {"version", version}, {"direction", "sent"}},
                 traffic.sent_bytes);
    text->Sample({{"model", model}, {"version", version}, {"direction", "received"}},
                 traffic.received_bytes);
  }
}

void WriteProcess(MetricsText* text, const MetricsOptions& options) {
  text->Family("braid_build_info", "gauge", "The program's version.");
  text->Sample({{"version", options.version}}, uint64_t{1});
  timespec used{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
    text->Family("process_cpu_seconds_total", "counter", "Processor time of this process.");
    text->Sample({}, static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9);
  }
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    unsigned long size = 0, resident = 0;
    const bool read = std::fscanf(file, "%lu %lu", &size, &resident) == 2;
    std::fclose(file);
    if (read) {
      text->Family("process_resident_memory_bytes", "gauge", "Memory of this process.");
      text->Sample({}, uint64_t{resident} * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
    }
  }
}

// Triton's names and units (microseconds).
void WriteTritonNames(MetricsText* text, const std::vector<Sample>& samples) {
  const auto us = [](Duration duration) {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
  };
  PerModel(text, samples, "nv_inference_request_success", "counter", "Answered requests.",
           [](const Sample& sample) { return sample.now.success.count; });
  text->Family("nv_inference_request_failure", "counter", "Requests without an answer.");
  for (const Sample& sample : samples) {
    const auto count = [&](Refusal refusal) {
      return sample.now.refused[static_cast<size_t>(refusal)];
    };
    const std::pair<std::string_view, uint64_t> reasons[] = {
        {"REJECTED", count(Refusal::kRejected)},
        {"CANCELED", count(Refusal::kCancelled)},
        {"BACKEND", count(Refusal::kFailed) + count(Refusal::kDeadline)},
        {"OTHER", count(Refusal::kInvalid)}};
    for (const auto& [reason, value] : reasons) {
      text->Sample({{"model", sample.model->name()},
                    {"version", sample.model->version()},
                    {"reason", reason}},
                   value);
    }
  }
  PerModel(text, samples, "nv_inference_count", "counter", "Images.",
           [](const Sample& sample) { return sample.now.images; });
  PerModel(text, samples, "nv_inference_exec_count", "counter", "Batches.",
           [](const Sample& sample) { return sample.now.executions; });
  PerModel(text, samples, "nv_inference_pending_request_count", "gauge", "Requests that wait.",
           [](const Sample& sample) {
             return static_cast<uint64_t>(sample.model->dispatcher().queued_requests());
           });
  PerModel(text, samples, "nv_inference_request_duration_us", "counter", "Arrival to answer.",
           [&](const Sample& sample) { return us(sample.now.success.sum); });
  PerModel(text, samples, "nv_inference_queue_duration_us", "counter", "In the queue.",
           [&](const Sample& sample) { return us(sample.now.queue.sum); });
  PerModel(text, samples, "nv_inference_compute_input_duration_us", "counter", "Reading.",
           [&](const Sample& sample) { return us(sample.now.compute_input.sum); });
  PerModel(text, samples, "nv_inference_compute_infer_duration_us", "counter", "On the device.",
           [&](const Sample& sample) { return us(sample.now.compute_infer.sum); });
  PerModel(text, samples, "nv_inference_compute_output_duration_us", "counter", "Writing.",
           [&](const Sample& sample) { return us(sample.now.compute_output.sum); });
}

}  // namespace

std::string Metrics(const Catalog& catalog, const MetricsOptions& options) {
  std::vector<Sample> samples;
  for (const Catalog::ModelPtr& model : catalog.Models()) {
    samples.push_back({model, model->statistics().Snapshot()});
  }
  MetricsText text;
  PerModel(&text, samples, "braid_ready", "gauge", "1 while the model's self-test passes.",
           [](const Sample& sample) { return uint64_t{sample.model->ready()}; });
  WriteRequests(&text, samples);
  WriteTimes(&text, samples);
  PerModel(&text, samples, "braid_images_total", "counter", "Images in answered requests.",
           [](const Sample& sample) { return sample.now.images; });
  PerModel(&text, samples, "braid_executions_total", "counter", "Batches that the device ran.",
           [](const Sample& sample) { return sample.now.executions; });
  PerModel(&text, samples, "braid_queue_requests", "gauge", "Requests that wait.",
           [](const Sample& sample) {
             return static_cast<uint64_t>(sample.model->dispatcher().queued_requests());
           });
  PerModel(&text, samples, "braid_open_images", "gauge", "Images that wait or run.",
           [](const Sample& sample) {
             return static_cast<uint64_t>(sample.model->dispatcher().open_images());
           });
  WriteBraided(&text, samples);
  WriteProcess(&text, options);
  if (options.triton_names) WriteTritonNames(&text, samples);
  return text.Take();
}

}  // namespace braid::serving
