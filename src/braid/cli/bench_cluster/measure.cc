#include "braid/cli/bench_cluster/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "braid/cli/child_process.h"
#include "braid/cluster/link/link_emulator.h"

namespace braid::cli {
namespace {

using nlohmann::json;

constexpr Duration kStartLimit = std::chrono::seconds(10);
constexpr Duration kWarmup = std::chrono::milliseconds(300);
// After the window, the requests still open must end: slow links need a while.
constexpr Duration kDrainLimit = std::chrono::seconds(30);

// What one device process is told.
struct WorkerSpec {
  std::string model;
  std::string share;  // "0,1", empty: all
  std::string point;  // empty: sends no images
};

// The devices of a way: one or two.
std::vector<WorkerSpec> Workers(const BenchNetwork& network, Way way) {
  switch (way) {
    case Way::kSingle:
      return {{network.static_path, "", "g0-3"}};
    case Way::kReplicated:
      return {{network.static_path, "", "g0-3"}, {network.static_path, "", "g0-3"}};
    case Way::kStatic:
      return {{network.static_path, "0,1", "g0-3"}, {network.static_path, "2,3", "g0-3"}};
    case Way::kDynamic:
      return {{network.dynamic, "0,1", "g0+1"}};
    case Way::kFluidHa:
      return {{network.fluid, "0,1", "g0-3"}, {network.fluid, "2,3", "g0-3"}};
    case Way::kFluidSum:
      return {{network.fluid, "0,1", "g0+1,2+3"}, {network.fluid, "2,3", "g0+1,2+3"}};
    case Way::kFluidHt:
      return {{network.fluid, "0,1", "g0+1"}, {network.fluid, "2,3", "g2+3"}};
  }
  return {};
}

std::vector<std::string> Arguments(const BenchCase& c, const WorkerSpec& spec, int index,
                                   Duration measure) {
  const auto milliseconds = [](Duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
  };
  std::vector<std::string> argv = {
      SelfPath(),     "bench-worker",
      "--model",      spec.model,
      "--name",       index == 0 ? "a" : "b",
      "--cpu",        std::to_string(index),
      "--cpu-share",  std::to_string(index == 0 ? c.cpu_share : c.cpu_share_b),
      "--in-flight",  std::to_string(c.in_flight),
      "--images",     std::to_string(c.images),
      "--warmup-ms",  milliseconds(kWarmup),
      "--measure-ms", milliseconds(measure)};
  const auto add = [&argv](const char* flag, const std::string& value) {
    if (value.empty()) return;
    argv.push_back(flag);
    argv.push_back(value);
  };
  add("--share", spec.share);
  add("--point", spec.point);
  add("--kernels", c.kernels);
  return argv;
}

// The next JSON line of a worker that has the member `key`.
Result<json> Expect(ChildProcess* worker, const char* key, Duration limit) {
  BRAID_ASSIGN_OR_RETURN(const std::string line, worker->ReadLine(limit));
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || !object.contains(key)) {
    return Internal("benchmark device: expected \"" + std::string(key) + "\", got: " + line);
  }
  return object;
}

// The case's link in front of `target`.
Result<std::unique_ptr<cluster::LinkEmulator>> StartEmulator(const BenchCase& c,
                                                             const std::string& target) {
  cluster::LinkSettings settings;
  settings.delay = Duration(static_cast<int64_t>(c.delay_ms * 1e6));
  settings.bits_per_second = static_cast<int64_t>(c.rate_mbit * 1e6);
  return cluster::LinkEmulator::Create(target, settings, settings);
}

}  // namespace

Result<Measured> Measure(const BenchCase& c, Way way, Duration measure) {
  const std::vector<WorkerSpec> specs = Workers(c.network, way);
  std::unique_ptr<cluster::LinkEmulator> emulator;  // outlives the workers
  std::vector<std::unique_ptr<ChildProcess>> workers;
  std::string dial;  // where the second device finds the first
  for (size_t i = 0; i < specs.size(); ++i) {
    WorkerSpec spec = specs[i];
    if (c.one_source && i > 0) spec.point.clear();
    std::vector<std::string> argv = Arguments(c, spec, static_cast<int>(i), measure);
    if (UsesLink(way)) {
      argv.insert(argv.end(), {"--peers-expected", "1"});
      if (i == 0) {
        argv.insert(argv.end(), {"--listen", "127.0.0.1:0"});
      } else {
        argv.insert(argv.end(), {"--peer", dial});
      }
    }
    BRAID_ASSIGN_OR_RETURN(auto worker, ChildProcess::Start(argv));
    workers.push_back(std::move(worker));
    BRAID_ASSIGN_OR_RETURN(const json hello,
                           Expect(workers.back().get(), "listening", kStartLimit));
    if (i == 0 && UsesLink(way)) {
      dial = hello["listening"].get<std::string>();
      if (c.delay_ms > 0 || c.rate_mbit > 0) {
        BRAID_ASSIGN_OR_RETURN(emulator, StartEmulator(c, dial));
        dial = emulator->address();
      }
    }
  }
  for (const auto& worker : workers) {
    BRAID_RETURN_IF_ERROR(Expect(worker.get(), "ready", kStartLimit).status());
  }
  for (const auto& worker : workers) BRAID_RETURN_IF_ERROR(worker->WriteLine("go"));

  Measured measured;
  for (const auto& worker : workers) {
    BRAID_ASSIGN_OR_RETURN(const json report,
                           Expect(worker.get(), "images", kWarmup + measure + kDrainLimit));
    if (report["failed"].get<int64_t>() != 0 || report["other_point"].get<int64_t>() != 0) {
      return Internal(fmt::format("{}: {} requests failed, {} answered by another point",
                                  WayName(way), report["failed"].get<int64_t>(),
                                  report["other_point"].get<int64_t>()));
    }
    measured.resident_bytes = std::max(measured.resident_bytes, worker->ResidentBytes());
    if (report["images"].get<int64_t>() == 0) continue;  // it only helps
    measured.ips +=
        static_cast<double>(report["images"].get<int64_t>()) / report["seconds"].get<double>();
    measured.p50_us = std::max(measured.p50_us, report["latency_us"]["p50"].get<double>());
    measured.p99_us = std::max(measured.p99_us, report["latency_us"]["p99"].get<double>());
  }
  for (const auto& worker : workers) worker->CloseInput();
  for (const auto& worker : workers) {
    BRAID_RETURN_IF_ERROR(worker->Wait(kStartLimit).status());
  }
  return measured;
}

}  // namespace braid::cli
