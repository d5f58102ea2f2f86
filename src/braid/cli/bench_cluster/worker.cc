#include "braid/cli/bench_cluster/worker.h"

#include <sched.h>

#include <algorithm>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>

#include "braid/cli/bench_cluster/load.h"
#include "braid/cli/bench_cluster/throttled_executor.h"
#include "braid/cluster/device.h"
#include "braid/cluster/link/tcp_transport.h"
#include "braid/control/rules.h"
#include "braid/model/file.h"
#include "braid/model/network.h"

namespace braid::cli {
namespace {

using nlohmann::json;

void Emit(const json& line) { std::cout << line.dump() << std::endl; }

Status PinTo(int cpu) {
  if (cpu < 0) return OkStatus();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    return InvalidArgument("--cpu " + std::to_string(cpu) + ": this process may not run there");
  }
  return OkStatus();
}

void WaitForPeers(cluster::Device* device, int expected) {
  while (true) {
    std::promise<int> usable;
    device->Report([&usable](std::vector<cluster::Device::PeerReport> peers) {
      int count = 0;
      for (const auto& peer : peers) count += peer.usable ? 1 : 0;
      usable.set_value(count);
    });
    if (usable.get_future().get() >= expected) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

double Percentile(const std::vector<double>& ascending, double fraction) {
  if (ascending.empty()) return 0;
  const auto last = static_cast<double>(ascending.size() - 1);
  return ascending[static_cast<size_t>(fraction * last)];
}

json ToJson(const LoadReport& report) {
  return {{"images", report.images},
          {"failed", report.failed},
          {"other_point", report.other_point},
          {"seconds", report.seconds},
          {"latency_us",
           {{"p50", Percentile(report.latency_us, 0.50)},
            {"p90", Percentile(report.latency_us, 0.90)},
            {"p99", Percentile(report.latency_us, 0.99)}}}};
}

}  // namespace

Status RunWorker(const WorkerOptions& options) {
  BRAID_RETURN_IF_ERROR(PinTo(options.cpu));  // before threads start: they inherit it
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile model, model::ReadModelFile(options.model));

  cluster::DeviceOptions device_options;
  device_options.name = options.name;
  device_options.listen = options.listen;
  if (!options.peer.empty()) device_options.peers = {options.peer};
  for (const int group : options.share) device_options.share = device_options.share.With(group);
  if (options.share.empty()) device_options.share = GroupSet::First(model.network.groups);
  device_options.incarnation = std::random_device{}();
  device_options.path = kernels::BestPath();
  if (!options.kernels.empty()) {
    const auto path = kernels::PathFromName(options.kernels);
    if (!path || !kernels::PathSupported(*path)) {
      return InvalidArgument("--kernels " + options.kernels + ": not on this processor");
    }
    device_options.path = *path;
  }
  // A slow link must not be taken for a broken one: the bench measures it.
  device_options.silence_limit = std::chrono::seconds(5);
  device_options.exchange_limit = std::chrono::seconds(10);
  device_options.max_batch = std::max(options.images, 1);
  device_options.credit = 256;
  if (options.cpu_share < 1) device_options.brief_work = {};  // only the executor is slowed down

  int point = -1;
  if (!options.point.empty()) {
    point = model::FindPoint(model.network, options.point);
    if (point < 0) return NotFound(options.model + ": no operating point " + options.point);
  }

  control::RuleController controller(&model.network);
  const auto executor = MakeThrottledExecutor(cluster::MakeThreadExecutor(), options.cpu_share);
  BRAID_ASSIGN_OR_RETURN(auto transport, cluster::TcpTransport::Create({}));
  BRAID_ASSIGN_OR_RETURN(
      auto device,
      cluster::Device::Create(model, device_options, transport.get(), executor.get(), &controller));
  BRAID_ASSIGN_OR_RETURN(const std::string address, device->Start());
  Emit({{"listening", address}});
  WaitForPeers(device.get(), options.peers_expected);
  Emit({{"ready", true}});

  ClosedLoopLoad load(device.get(), std::max(point, 0), options.images, options.in_flight,
                      std::hash<std::string>{}(options.name));
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line != "go") return InvalidArgument("standard input: expected \"go\", got: " + line);
    if (point < 0) {
      Emit(ToJson(LoadReport{}));
    } else {
      Emit(ToJson(load.Run(options.warmup, options.measure)));
    }
  }
  executor->Stop();
  return OkStatus();
}

}  // namespace braid::cli
