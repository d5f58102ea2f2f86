#include "braid/cli/bench_serve/command.h"

#include <sched.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <thread>

#include "braid/cli/bench_serve/grpc_port.h"
#include "braid/cli/bench_serve/measure.h"
#include "braid/cli/bench_serve/rest_port.h"
#include "braid/cli/child_process.h"
#include "braid/cli/device_process.h"
#include "braid/cli/report.h"
#include "braid/model/file.h"

namespace braid::cli {
namespace {

struct Arguments {
  std::string model = "models/fluid2_mnist_s1.braid";
  std::vector<std::string> doors = {"grpc", "rest"};
  int in_flight = 16;
  int rounds = 3;
  int measure_ms = 1000;
  double overload_seconds = 10;
  double overload_factor = 3;
  int deadline_ms = 50;
  int most_open = 256;  // more than the gRPC client keeps open: its own limit is under test
  int cpu = 0;
  std::string onnxruntime, onnx;
  bool json = false;
};

struct ThinServer {
  std::unique_ptr<ChildProcess> process;
  std::string grpc, rest;
};

// The echo server; with `onnx` arguments, ONNX Runtime behind it.
Result<ThinServer> StartThinServer(const Arguments& arguments, const model::Network& network,
                                   bool onnx) {
  std::vector<std::string> argv = {SelfPath(), "bench-echo", "--classes",
                                   std::to_string(network.labels.size())};
  if (arguments.cpu >= 0) argv.insert(argv.end(), {"--cpu", std::to_string(arguments.cpu)});
  if (onnx) {
    argv.insert(argv.end(), {"--onnxruntime", arguments.onnxruntime, "--onnx", arguments.onnx,
                             "--input", std::to_string(network.input_h),
                             std::to_string(network.input_w), std::to_string(network.input_c)});
  }
  ThinServer server;
  BRAID_ASSIGN_OR_RETURN(server.process, ChildProcess::Start(argv));
  BRAID_ASSIGN_OR_RETURN(const std::string line,
                         server.process->ReadLine(std::chrono::seconds(30)));
  const Json addresses = Json::parse(line, nullptr, false);
  if (!addresses.is_object()) return Internal("bench-echo: not an address: " + line);
  server.grpc = addresses.value("grpc", "");
  server.rest = addresses.value("rest", "");
  return server;
}

// The client keeps off the servers' processor, where the system would else wake it to answer sooner,
// in their time. Where there is only that one, nothing is done.
void KeepOff(int cpu) {
  cpu_set_t usable;
  if (cpu < 0 || ::sched_getaffinity(0, sizeof(usable), &usable) != 0) return;
  CPU_CLR(static_cast<size_t>(cpu), &usable);
  if (CPU_COUNT(&usable) > 0) ::sched_setaffinity(0, sizeof(usable), &usable);
}

void Print(const Json& doors) {
  std::vector<std::vector<std::string>> rows = {{"door", "echo/s", "ort/s", "braid/s", "ratio", "p50 ms",
                                                 "p99 ms", "half p99", "kept", "refused",
                                                 "refusal p99"}};
  const auto number = [](const Json& value, const char* format) {
    if (!value.is_number()) return std::string("-");
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), format, value.get<double>());
    return std::string(text.data());
  };
  for (const Json& door : doors) {
    const Json overload = door.value("overload", Json::object());
    rows.push_back({door["door"].get<std::string>(), number(door["echo"]["rps"], "%.0f"),
                    number(door.value("onnxruntime", Json::object()).value("rps", Json()), "%.0f"),
                    number(door["device"]["rps"], "%.0f"), number(door["ratio"], "%.2f"),
                    number(door["device"]["p50_ms"], "%.2f"),
                    number(door["device"]["p99_ms"], "%.2f"),
                    number(door["half_load"]["answer_p99_ms"], "%.2f"),
                    number(overload.value("kept", Json()), "%.4f"),
                    number(overload.value("refused", Json()), "%.0f"),
                    number(overload.value("refusal_p99_ms", Json()), "%.2f")});
  }
  PrintTable(rows, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

Status RunBench(const Arguments& arguments) {
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(arguments.model));
  const model::Network& network = file.network;
  const bool onnx = !arguments.onnxruntime.empty();
  std::map<Side, ThinServer> thin;
  BRAID_ASSIGN_OR_RETURN(thin[Side::kEcho], StartThinServer(arguments, network, false));
  if (onnx) {
    BRAID_ASSIGN_OR_RETURN(thin[Side::kOnnxRuntime], StartThinServer(arguments, network, true));
  }
  DeviceProcessOptions options;
  options.model = arguments.model;
  options.name = "bench";
  options.rest = "127.0.0.1:0";
  options.cpu = arguments.cpu;
  options.more = {"--quiet"};
  BRAID_ASSIGN_OR_RETURN(const auto device,
                         DeviceProcess::Start(options, std::chrono::seconds(60)));
  KeepOff(arguments.cpu);
  Json doors = Json::array();
  for (const std::string& door : arguments.doors) {
    spdlog::info("door {}", door);
    DoorBench bench;
    bench.door = door;
    bench.in_flight = arguments.in_flight;
    bench.rounds = arguments.rounds;
    bench.measure = std::chrono::milliseconds(arguments.measure_ms);
    bench.overload = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(arguments.overload_seconds));
    bench.overload_factor = arguments.overload_factor;
    bench.most_open = arguments.most_open;
    bench.deadline = std::chrono::milliseconds(arguments.deadline_ms);
    bench.device_resident_bytes = [&] { return device->ResidentBytes(); };
    bench.onnxruntime = onnx;
    bench.open = [&](Side side, int connections, Duration deadline,
                     bool bare) -> Result<std::unique_ptr<LoadPort>> {
      if (door == "grpc") {
        const GrpcPortOptions port = {
            .address = side == Side::kDevice ? device->grpc() : thin[side].grpc,
            .model = network.name,
            .height = network.input_h,
            .width = network.input_w,
            .channels = network.input_c,
            .deadline = deadline,
            .most_open = connections};
        return bare ? OpenStubPort(port) : OpenGrpcPort(port);
      }
      return OpenRestPort(
          {.address = side == Side::kDevice ? device->rest() : thin[side].rest,
           .model = network.name,
           .height = network.input_h,
           .width = network.input_w,
           .channels = network.input_c,
           .connections = connections,
           .deadline_ms = std::chrono::duration<double, std::milli>(deadline).count()});
    };
    BRAID_ASSIGN_OR_RETURN(Json result, MeasureDoor(bench));
    doors.push_back(std::move(result));
  }
  if (arguments.json) {
    PrintJson({{"version", BRAID_VERSION},
               {"model", network.name},
               {"model_digest", file.digest},
               {"rounds", arguments.rounds},
               {"measure_ms", arguments.measure_ms},
               {"cpu", arguments.cpu},
               {"doors", doors}});
  } else {
    Print(doors);
  }
  return OkStatus();
}

}  // namespace

void AddBenchServe(CLI::App& bench, Work& work) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = bench.add_subcommand(
      "serve", "Requests per second at the doors, beside an echo server, and under overload");
  command->add_option("--model", arguments->model, "The .braid file")->capture_default_str();
  command->add_option("--doors", arguments->doors, "grpc, rest")
      ->delimiter(',')
      ->check(CLI::IsMember({"grpc", "rest"}))
      ->capture_default_str();
  command->add_option("--in-flight", arguments->in_flight, "Requests at a time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--rounds", arguments->rounds, "Times that each side is measured, in turn")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--measure-ms", arguments->measure_ms, "Length of one measurement")
      ->check(CLI::Range(50, 60000))
      ->capture_default_str();
  command
      ->add_option("--overload-seconds", arguments->overload_seconds, "Length of the overload, or 0")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("--overload-factor", arguments->overload_factor, "Times the capacity")
      ->check(CLI::Range(1.0, 100.0))
      ->capture_default_str();
  command->add_option("--deadline-ms", arguments->deadline_ms, "Of requests in the overload")
      ->check(CLI::Range(1, 60000))
      ->capture_default_str();
  command
      ->add_option("--most-open", arguments->most_open,
                   "Requests that the client keeps open in the overload; others stay unsent")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--cpu", arguments->cpu, "Processor of device and echo server, -1: any")
      ->capture_default_str();
  CLI::Option* library = command->add_option(
      "--onnxruntime", arguments->onnxruntime, "libonnxruntime.so, to be measured beside the device");
  command
      ->add_option("--onnx", arguments->onnx,
                   "Its model: input uint8 [N,H,W,C] as `braid export` writes it")
      ->needs(library);
  library->needs("--onnx");
  command->add_flag("--json", arguments->json, "One JSON document on standard output");
  command->callback([arguments, &work] { work = [arguments] { return RunBench(*arguments); }; });
}

}  // namespace braid::cli
