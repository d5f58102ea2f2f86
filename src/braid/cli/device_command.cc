// braid device: one device of a group, with its front door. Layer: cli.
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>

#include "braid/cli/commands.h"
#include "braid/cli/front_doors.h"
#include "braid/cli/hosted_models.h"
#include "braid/cli/model_options.h"
#include "braid/cli/report.h"

namespace braid::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string name;
  HostedModelOptions models;
  FrontDoorOptions doors;
  CLI::Option* rest = nullptr;
  CLI::Option* metrics = nullptr;
  int cpu = -1;
  int threads = 1;
  int silence_ms = 100;
  int notice_ms = 100;
  int grace_ms = 2000;
  bool quiet = false;
  bool json = false;
};

// What happens to the device, for scripts: one JSON document a line on stdout, in order.
class Events {
 public:
  explicit Events(bool json) : json_(json) {}
  void Emit(const std::string& event, Json details = Json::object()) {
    if (!json_) return;
    Json line = {{"event", event}};
    line.update(details);
    const std::lock_guard lock(mutex_);
    std::printf("%s\n", line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    std::fflush(stdout);
  }

 private:
  const bool json_;
  std::mutex mutex_;
};

std::string DefaultName() {
  std::array<char, 64> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.fill('\0');
  return fmt::format("{}-{}", host[0] == '\0' ? "device" : host.data(), ::getpid());
}

Status CheckName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return std::isgraph(c) != 0 && c != ','; });
  // Replies list devices between commas.
  if (name.empty() || name.size() > cluster::kMaxNameBytes || !plain) {
    return InvalidArgument("--name \"" + name + "\": must be printable, without space or comma");
  }
  return OkStatus();
}

// Before any thread is started: threads inherit it.
Status PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu < CPU_SETSIZE) CPU_SET(static_cast<size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    return InvalidArgument(fmt::format("--cpu {}: {}", cpu, std::strerror(errno)));
  }
  return OkStatus();
}

// Each connection takes a file; the usual soft limit of 1024 is for programs that use select().
void RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    spdlog::warn("most open files: {}", std::strerror(errno));
  }
}

// The signals that end a device. Blocked before any thread is started, so that only WaitForEnd
// gets them.
sigset_t BlockEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // a script that stops reading our events does not end the device
  ::signal(SIGXFSZ, SIG_IGN);  // nor does a log that has reached the largest size allowed
  return signals;
}

Status RunDevice(const Options& options) {
  const sigset_t signals = BlockEndSignals();
  RaiseFileLimit();
  if (options.quiet) spdlog::set_level(spdlog::level::warn);
  const std::string name = options.name.empty() ? DefaultName() : options.name;
  BRAID_RETURN_IF_ERROR(CheckName(name));
  if (options.cpu >= 0) BRAID_RETURN_IF_ERROR(PinTo(options.cpu));
  BRAID_ASSIGN_OR_RETURN(const kernels::Path path, ChoosePath(options.model.kernels));
  HostedModelOptions models = options.models;
  models.model = options.model.model;
  models.device.name = name;
  models.device.path = path;
  models.device.threads = options.threads;
  models.device.silence_limit = std::chrono::milliseconds(options.silence_ms);
  models.device.ping_interval = models.device.silence_limit / 5;
  models.device.log = [](const std::string& line) { spdlog::info("{}", line); };
  Events events(options.json);
  std::atomic<bool> ended = false;
  std::atomic<bool> was_ready = false;
  FrontDoorOptions door_options = options.doors;
  door_options.rest_wanted = options.rest->count() > 0;
  door_options.metrics_wanted = options.metrics->count() > 0;
  door_options.log = [](const std::string& line) { spdlog::warn("{}", line); };
  FrontDoors doors(door_options);  // after `events`, which it reports through
  const int listener = doors.catalog().AddListener([&] {
    const Status reason = doors.catalog().reason();
    if (was_ready.exchange(reason.ok()) == reason.ok()) return;
    if (reason.ok() || ended) {
      spdlog::info(reason.ok() ? "ready" : "not ready: draining");
    } else {
      spdlog::warn("not ready: {}", reason.ToString());
    }
    events.Emit(reason.ok() ? "ready" : "not_ready", {{"reason", reason.message()}});
  });
  BRAID_ASSIGN_OR_RETURN(const std::vector<HostedModel> hosted, HostModels(models, &doors));
  BRAID_RETURN_IF_ERROR(doors.Open());
  DeviceHost& first = *hosted.front().host;
  Json list = Json::array();
  for (const HostedModel& model : hosted) {
    list.push_back({{"name", model.name},
                    {"version", model.version},
                    {"model_digest", model.host->model().digest},
                    {"share", ShareText(model.host->device().options().share)},
                    {"listen", model.host->address()}});
  }
  events.Emit("listening", {{"name", name},
                            {"group", models.device.group},
                            {"model", hosted.front().name},
                            {"model_digest", first.model().digest},
                            {"share", ShareText(first.device().options().share)},
                            {"models", list},
                            {"kernels", kernels::PathName(path)},
                            {"grpc", doors.grpc_address()},
                            {"rest", doors.rest_address()},
                            {"metrics", doors.metrics_address()},
                            {"listen", first.address()},
                            {"pid", ::getpid()}});
  const auto or_nothing = [](const std::string& address) {
    return address.empty() ? std::string("nothing") : address;
  };
  spdlog::info("device {} of group {}: gRPC on {}, REST on {}, metrics on {}", name, models.device.group,
               doors.grpc_address(), or_nothing(doors.rest_address()),
               or_nothing(doors.metrics_address()));
  for (const HostedModel& model : hosted) {
    spdlog::info("model {} version {}: groups {}, peers on {}", model.name, model.version,
                 ShareText(model.host->device().options().share),
                 or_nothing(model.host->address()));
  }

  int signal = 0;
  while (::sigwait(&signals, &signal) != 0) {
  }
  ended = true;
  spdlog::info("{}: draining", ::strsignal(signal));
  events.Emit("draining");
  doors.Drain(std::chrono::milliseconds(options.notice_ms),
              std::chrono::milliseconds(options.grace_ms));
  doors.catalog().RemoveListener(listener);
  events.Emit("stopped");
  return OkStatus();
}

void AddDoorOptions(CLI::App& device, Options& options) {
  FrontDoorOptions& doors = options.doors;
  device.add_option("--grpc", doors.grpc, "The gRPC door (127.0.0.1:8001)")
      ->type_name("HOST:PORT");
  options.rest = device.add_option("--rest", doors.rest, "The REST door (127.0.0.1:8000), or none")
                     ->type_name("HOST:PORT");
  options.metrics =
      device.add_option("--metrics", doors.metrics, "For Prometheus (127.0.0.1:8002), or none")
                        ->type_name("HOST:PORT");
  device.add_flag("--triton-metrics", doors.triton_metrics, "Also under Triton's names");
  device.add_flag("--any-address", doors.any_address,
                  "Open the doors beyond loopback without TLS and a token");
  device.add_option("--tls-cert", doors.tls_certificate, "The doors' certificate chain, PEM")
      ->type_name("FILE");
  device.add_option("--tls-key", doors.tls_key, "Its key, PEM, a file of mode 0600")
      ->type_name("FILE");
  device.add_option("--token-file", doors.token_file, "Bearer tokens, one a line, mode 0600")
      ->type_name("FILE");
  device
      .add_option_function<int>(
          "--batch-delay-us",
          [&doors](int us) { doors.dispatch.max_delay = std::chrono::microseconds(us); },
          "A request may wait so long for company")
      ->check(CLI::Range(0, 1000000))
      ->type_name("US");
  device.add_option("--queue", doors.dispatch.max_queue_requests, "Most requests that wait")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str()
      ->type_name("N");
}

}  // namespace

void AddDeviceCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* device = program.add_subcommand("device", "Run one device of a group");
  AddModelOptions(*device, options->model, false);
  HostedModelOptions& models = options->models;
  models.device.listen = "127.0.0.1:0";
  device->add_option("--model-repository", models.repository, "Or a folder NAME/VERSION/model.braid")
      ->type_name("DIR");
  device->add_option("--name", options->name, "Unique in the group; else host and process")
      ->type_name("NAME");
  device->add_option("--group", models.device.group, "Devices of one group combine")
      ->capture_default_str()
      ->type_name("NAME");
  device->add_option("--share", models.share, "Channel groups to carry (0,1 or 0-3), or all")
      ->capture_default_str()
      ->type_name("GROUPS");
  device->add_option("--listen", models.device.listen, "Where peers dial us (a free port)")
      ->type_name("HOST:PORT");
  device->add_option("--peer", models.device.peers, "Peers that we dial; may repeat")
      ->allow_extra_args(false)
      ->type_name("HOST:PORT");
  device->add_option("--key-file", models.key_file, "The group's key, a file of mode 0600")
      ->type_name("FILE");
  device->add_option("--previous-key-file", models.previous_key_file, "Also accepted")
      ->type_name("FILE");
  AddDoorOptions(*device, *options);
  device->add_option("--threads", options->threads, "That share each run; 0: one a usable core")
      ->check(CLI::Range(0, 1024).description(""))  // keeps the help to a line each
      ->capture_default_str()
      ->type_name("N");
  device->add_option("--cpu", options->cpu, "Run on this processor only")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  device->add_option("--max-batch", models.device.max_batch, "Most images of one request")
      ->check(CLI::Range(1, 4096).description(""))
      ->capture_default_str()
      ->type_name("N");
  device->add_option("--silence-ms", options->silence_ms, "A peer not heard so long is suspected")
      ->check(CLI::Range(10, 60000))
      ->capture_default_str()
      ->type_name("MS");
  device->add_option("--notice-ms", options->notice_ms, "From SIGTERM to refusing new requests")
      ->check(CLI::Range(0, 600000))
      ->capture_default_str()
      ->type_name("MS");
  device->add_option("--grace-ms", options->grace_ms, "Then, for requests in flight")
      ->check(CLI::Range(0, 600000))
      ->capture_default_str()
      ->type_name("MS");
  device->add_flag("--quiet", options->quiet, "Log warnings only");
  device->add_flag("--json", options->json, "Events as JSON lines on stdout");
  device->callback([options, &work] {
    if (options->model.model.empty() == options->models.repository.empty()) {
      throw CLI::RequiredError("--model or --model-repository, one of them,");
    }
    work = [options] { return RunDevice(*options); };
  });
}

}  // namespace braid::cli
