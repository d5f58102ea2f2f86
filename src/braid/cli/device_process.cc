#include "braid/cli/device_process.h"

#include <utility>

#include "braid/cli/report.h"

namespace braid::cli {

Result<std::unique_ptr<DeviceProcess>> DeviceProcess::Start(const DeviceProcessOptions& options,
                                                            Duration timeout) {
  std::vector<std::string> argv = options.wrapper;
  argv.push_back(options.program.empty() ? SelfPath() : options.program);
  const bool repository = !options.repository.empty();
  const std::vector<std::string> rest = {"device",
                                   "--json",
                                   repository ? "--model-repository" : "--model",
                                   repository ? options.repository : options.model,
                                   "--name",
                                   options.name,
                                   "--group",
                                   options.group,
                                   "--share",
                                   options.share,
                                   "--listen",
                                   options.listen,
                                   "--grpc",
                                   options.grpc,
                                   "--rest",
                                   options.rest,
                                   "--metrics",
                                   options.metrics,
                                   "--kernels",
                                   options.kernels};
  argv.insert(argv.end(), rest.begin(), rest.end());
  for (const std::string& peer : options.peers) argv.insert(argv.end(), {"--peer", peer});
  if (options.cpu >= 0) argv.insert(argv.end(), {"--cpu", std::to_string(options.cpu)});
  argv.insert(argv.end(), options.more.begin(), options.more.end());

  const TimePoint started = std::chrono::steady_clock::now();
  const TimePoint deadline = started + timeout;
  BRAID_ASSIGN_OR_RETURN(std::unique_ptr<ChildProcess> child, ChildProcess::Start(argv, options.error_path));
  std::unique_ptr<DeviceProcess> process(new DeviceProcess(options, std::move(child)));
  bool listening = false, ready = false;
  while (!listening || !ready) {  // in either order
    Result<std::string> line =
        process->child_->ReadLine(deadline - std::chrono::steady_clock::now());
    if (!line.ok()) return line.status().WithContext("device " + options.name);
    const Json event = Json::parse(*line, nullptr, /*allow_exceptions=*/false);
    if (!event.is_object()) {
      return Internal("device " + options.name + ": not an event: " + *line);
    }
    const std::string kind = event.value("event", "");
    if (kind == "listening") {
      listening = true;
      process->grpc_ = event.value("grpc", "");
      process->rest_ = event.value("rest", "");
      process->metrics_ = event.value("metrics", "");
      process->listen_ = event.value("listen", "");
    } else if (kind == "ready") {
      ready = true;
      process->startup_ = std::chrono::steady_clock::now() - started;
    }
  }
  return process;
}

void DeviceProcess::DropEvents() {
  while (child_->ReadLine(Duration{}).ok()) {
  }
}

}  // namespace braid::cli
