// braid demo: the main job on this machine. Two devices, real images, one is killed, the answers go
// on. Layer: cli. The story is demo_phases.h.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "braid/cli/answer_check.h"
#include "braid/cli/commands.h"
#include "braid/cli/data_options.h"
#include "braid/cli/demo_phases.h"
#include "braid/cli/demo_setup.h"
#include "braid/cli/report.h"

namespace braid::cli {
namespace {

struct Options {
  std::string model;
  DataOptions data;
  double seconds = 2;
  DemoOptions demo;
  bool serve = false;
  bool json = false;
};

// Set by SIGINT and SIGTERM while --serve waits.
volatile std::sig_atomic_t interrupted = 0;

Result<Json> DescribePhase(const DemoPhase& phase, AnswerCheck& check) {
  int images = 0, correct = 0, failed = 0, wrong = 0, failovers = 0, retried = 0;
  std::map<std::string, int> points;
  std::string first_error;
  TimePoint last = phase.begin;
  Duration longest{};
  for (const StreamAnswer& answer : phase.answers) {
    longest = std::max(longest, Duration(answer.answered - answer.sent));
    if (!answer.status.ok()) {
      ++failed;
      if (first_error.empty()) first_error = answer.status.ToString();
      continue;
    }
    BRAID_ASSIGN_OR_RETURN(const bool equal, check.Equals(answer));
    if (!equal) ++wrong;
    images += answer.images;
    correct += check.Correct(answer);
    failovers += answer.reply.failovers;
    retried += answer.reply.attempts > 1 ? 1 : 0;
    points[answer.reply.operating_point] += answer.images;
    last = std::max(last, answer.answered);
  }
  const double seconds = std::chrono::duration<double>(last - phase.begin).count();
  Json report = {{"name", phase.name},
                 {"images", images},
                 {"ips", seconds > 0 ? Json(images / seconds) : Json()},
                 {"accuracy", images > 0 ? Json(static_cast<double>(correct) / images) : Json()},
                 {"failed", failed},
                 {"wrong", wrong},
                 {"requests", phase.answers.size()},
                 {"failovers", failovers},
                 {"retried", retried},
                 {"longest_ms", std::chrono::duration<double, std::milli>(longest).count()},
                 {"operating_points", points}};
  if (!first_error.empty()) report["first_error"] = first_error;
  return report;
}

Json OrNull(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Result<Json> Describe(const DemoSetup& setup, const DemoStory& story) {
  Json report;
  DescribeData(setup.dataset, report);
  report["model"] = setup.model_path;
  report["model_digest"] = setup.model.digest;
  report["network"] = setup.model.network.name;
  report["devices"] = Json::array();
  for (const DemoDevice& device : story.devices) {
    report["devices"].push_back({{"name", device.name},
                                 {"share", device.share},
                                 {"grpc", device.grpc},
                                 {"startup_ms", device.startup_ms},
                                 {"resident_bytes", device.resident_bytes}});
  }
  AnswerCheck check(setup.model.network, setup.dataset);
  int failed = 0, wrong = 0;
  Json phases = Json::array();
  for (const DemoPhase& phase : story.phases) {
    BRAID_ASSIGN_OR_RETURN(Json described, DescribePhase(phase, check));
    failed += described["failed"].get<int>();
    wrong += described["wrong"].get<int>();
    phases.push_back(std::move(described));
  }
  report["failed"] = failed;
  report["wrong"] = wrong;
  report["killed"] = story.killed;
  report["first_answer_after_kill_ms"] = OrNull(story.first_answer_after_kill_ms);
  report["restart_ms"] = story.restart_ms;
  report["rejoin_ms"] = OrNull(story.rejoin_ms);
  report["phases"] = std::move(phases);
  return report;
}

void PrintStory(const Json& report) {
  std::vector<std::vector<std::string>> rows = {
      {"phase", "images", "images/s", "accuracy", "failed", "wrong", "slowest ms", "points"}};
  for (const Json& phase : report["phases"]) {
    std::string points;
    for (const auto& [name, images] : phase["operating_points"].items()) {
      points += (points.empty() ? "" : " ") + name;
    }
    const auto number = [&](const char* key, const char* format, double scale) {
      return phase[key].is_null()
                 ? std::string("-")
                 : fmt::format(fmt::runtime(format), scale * phase[key].get<double>());
    };
    rows.push_back(
        {phase["name"], std::to_string(phase["images"].get<int>()), number("ips", "{:.0f}", 1),
         number("accuracy", "{:.2f} %", 100), std::to_string(phase["failed"].get<int>()),
         std::to_string(phase["wrong"].get<int>()), number("longest_ms", "{:.1f}", 1), points});
  }
  fmt::print("\n");
  PrintTable(rows, {1, 2, 3, 4, 5, 6});
  fmt::print("\n");
  for (const Json& device : report["devices"]) {
    fmt::print("{}: groups {}, {:.1f} MB resident, ready {:.0f} ms after its start\n",
               device["name"].get<std::string>(), device["share"].get<std::string>(),
               device["resident_bytes"].get<double>() / 1e6, device["startup_ms"].get<double>());
  }
  const Json& first = report["first_answer_after_kill_ms"];
  fmt::print("{} killed in mid-stream: {}, {} requests failed, {} answers wrong\n",
             report["killed"].get<std::string>(),
             first.is_null() ? "no answer after it"
                             : fmt::format("next answer after {:.1f} ms", first.get<double>()),
             report["failed"].get<int>(), report["wrong"].get<int>());
  if (!report["rejoin_ms"].is_null()) {
    fmt::print("started again: ready after {:.0f} ms, taking part {:.0f} ms later\n",
               report["restart_ms"].get<double>(), report["rejoin_ms"].get<double>());
  }
}

// Why the demo has not shown what it is for; OK when it has.
Status Verdict(const Json& report) {
  if (report["failed"].get<int>() > 0) {
    return Internal(fmt::format("{} requests failed", report["failed"].get<int>()));
  }
  if (report["wrong"].get<int>() > 0) {
    return DataLoss(fmt::format("{} answers are not their operating point's: this is a bug",
                                report["wrong"].get<int>()));
  }
  if (report["first_answer_after_kill_ms"].is_null()) {
    return Unavailable("no answer came after the kill");
  }
  if (report["rejoin_ms"].is_null()) {
    return Unavailable("the device that was started again took no part");
  }
  return OkStatus();
}

Status Serve(const Demo& demo, const DemoSetup& setup) {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  const std::string a = demo.devices()[0]->grpc();
  const std::string b = demo.devices()[1]->grpc();
  fmt::print(stderr,
             "\nBoth devices stay up until Ctrl-C. Try:\n"
             "  braid infer --endpoint {} --endpoint {} --data {} --index 0..9\n"
             "  grpcurl -plaintext {} inference.GRPCInferenceService/ServerReady\n"
             "  kill -9 {}     (device-b; the other one answers on)\n",
             a, b, setup.dataset.name, a, demo.devices()[1]->pid());
  while (interrupted == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  for (const auto& device : demo.devices()) device->Signal(SIGTERM);
  for (const auto& device : demo.devices()) {
    // One that was killed by hand is gone already: that is what it is for.
    if (!device->Wait(std::chrono::seconds(5)).ok()) spdlog::warn("a device did not end in time");
  }
  return OkStatus();
}

Status RunDemo(Options options) {
  options.demo.phase =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds));
  BRAID_ASSIGN_OR_RETURN(const DemoSetup setup, ChooseDemoSetup(options.model, options.data));
  const auto say = [&options](const std::string& line) {
    if (options.json) {
      spdlog::info("{}", line);
    } else {
      fmt::print("{}\n", line);
      std::fflush(stdout);
    }
  };
  if (!setup.note.empty()) say(setup.note);
  say(fmt::format("{} on {} {} images of {} (data {})", setup.model.network.name,
                  setup.dataset.count, setup.dataset.split, setup.dataset.name,
                  setup.dataset.digest.substr(0, 12)));
  Demo demo(setup, options.demo, say);
  BRAID_ASSIGN_OR_RETURN(const DemoStory story, demo.Run());
  BRAID_ASSIGN_OR_RETURN(const Json report, Describe(setup, story));
  if (options.json) {
    PrintJson(report);
    std::fflush(stdout);
  } else {
    PrintStory(report);
  }
  BRAID_RETURN_IF_ERROR(Verdict(report));
  if (options.serve) return Serve(demo, setup);
  return OkStatus();
}

}  // namespace

void AddDemoCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  options->data.limit = 4000;  // enough to see accuracies apart, few enough to check every answer
  CLI::App* demo =
      program.add_subcommand("demo", "Two devices answer, one is killed, the answers go on");
  demo->add_option("--model", options->model, "A fluid model; else the one for the data")
      ->type_name("FILE");
  AddDataOptions(*demo, options->data, false);
  demo->add_option("--seconds", options->seconds, "Length of each of the five phases")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str()
      ->type_name("S");
  demo->add_option("--batch", options->demo.batch, "Images of one request")
      ->check(CLI::Range(1, 64))
      ->capture_default_str()
      ->type_name("N");
  demo->add_option("--in-flight", options->demo.in_flight, "Requests at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str()
      ->type_name("N");
  demo->add_option("--kernels", options->demo.kernels, "best, scalar, avx2 or avx512vnni")
      ->capture_default_str()
      ->type_name("PATH");
  demo->add_flag("--serve", options->serve, "Keep the devices up afterwards");
  demo->add_flag("--json", options->json, "Report as one JSON document");
  demo->callback([options, &work] { work = [options] { return RunDemo(*options); }; });
}

}  // namespace braid::cli
