// `braid bench model`: whole networks, by batch and threads, beside ONNX Runtime. Layer: bench.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>

#include "braid/bench/cold_start.h"
#include "braid/bench/commands.h"
#include "braid/bench/machine.h"
#include "braid/bench/networks.h"
#include "braid/bench/report.h"
#include "braid/bench/rounds.h"
#include "braid/bench/runner.h"
#include "braid/model/file.h"
#include "braid/onnxruntime/session.h"

namespace braid::bench {
namespace {

struct Arguments {
  std::string model, random, point, onnxruntime, onnx_int8, onnx_f32, onnx_exported;
  std::vector<int> batches = {1, 32};
  std::vector<int> threads = {1, 2};
  int rounds = 9;
  int min_ms = 30;
  bool json = false;
};

Result<model::Network> Load(const Arguments& arguments) {
  if (arguments.random == "resnet20") return RandomResnet20(1);
  BRAID_ASSIGN_OR_RETURN(model::ModelFile file, model::ReadModelFile(arguments.model));
  return std::move(file.network);
}

Result<const model::OperatingPoint*> ChoosePoint(const model::Network& network,
                                                 const std::string& name) {
  const model::OperatingPoint* chosen = nullptr;
  for (const model::OperatingPoint& point : network.points) {
    // By default the whole network: the most expensive point of one term.
    const bool better = chosen == nullptr || point.macs_worst > chosen->macs_worst;
    if (name.empty() ? point.terms.size() == 1 && better : point.name == name) chosen = &point;
  }
  if (chosen == nullptr) return NotFound("--point " + name + ": the model has no such point");
  if (chosen->terms.size() != 1) return Unimplemented("--point " + name + ": has several terms");
  return chosen;
}

struct Row {
  int batch = 1, threads = 1;
  RoundTimes braid;
  RoundTimes int8, f32, exported;  // empty where absent
};

double MicrosecondsPerImage(const RoundTimes& times, int batch) {
  return times.Best() / 1000 / batch;
}

Result<Row> Measure(const Arguments& arguments, const model::Network& network,
                    const model::OperatingPoint& point, int batch, int threads) {
  BRAID_ASSIGN_OR_RETURN(const auto runner, Runner::Make(network, point, batch, threads));
  std::vector<std::function<void()>> ways = {[&] { runner->Run(); }};
  Row row{batch, threads, {}, {}, {}, {}};
  // ONNX Runtime's twins take floats, channels first; what `braid export` wrote takes pixels.
  const std::vector<int64_t> floats = {network.input_c, network.input_h, network.input_w};
  const std::vector<int64_t> pixels = {network.input_h, network.input_w, network.input_c};
  struct Peer {
    std::string model;
    OnnxInput input;
    RoundTimes* times;
    std::unique_ptr<OnnxSession> session;
  };
  Peer peers[] = {{arguments.onnx_int8, OnnxInput::kFloat32, &row.int8, nullptr},
                  {arguments.onnx_f32, OnnxInput::kFloat32, &row.f32, nullptr},
                  {arguments.onnx_exported, OnnxInput::kUint8, &row.exported, nullptr}};
  for (Peer& peer : peers) {
    if (arguments.onnxruntime.empty() || peer.model.empty()) continue;
    BRAID_ASSIGN_OR_RETURN(
        peer.session,
        OnnxSession::Open(arguments.onnxruntime, peer.model, peer.input,
                          peer.input == OnnxInput::kUint8 ? pixels : floats, batch, threads));
    BRAID_RETURN_IF_ERROR(peer.session->Run());
    ways.push_back([session = peer.session.get()] { (void)session->Run(); });
  }
  const std::vector<RoundTimes> times =
      TimeInTurn(ways, SystemClock(),
                 {arguments.rounds, std::chrono::milliseconds(arguments.min_ms)});
  row.braid = times[0];
  size_t next = 1;
  for (const Peer& peer : peers) {
    if (peer.session != nullptr) *peer.times = times[next++];
  }
  return row;
}

Json ToJson(const Row& row, double floor_us) {
  const double braid_us = MicrosecondsPerImage(row.braid, row.batch);
  const auto peer = [&](const RoundTimes& times) -> Json {
    if (times.least_ns.empty()) return nullptr;
    return {{"us_per_image", MicrosecondsPerImage(times, row.batch)},
            {"ratio", ToJson(SpeedRatio(row.braid, times))}};
  };
  return {{"batch", row.batch},
          {"threads", row.threads},
          {"braid_us_per_image", braid_us},
          {"braid_us_per_image_median", row.braid.Median() / 1000 / row.batch},
          {"of_floor", floor_us > 0 ? Json(floor_us / braid_us) : Json(nullptr)},
          {"onnxruntime_int8", peer(row.int8)},
          {"onnxruntime_f32", peer(row.f32)},
          {"onnxruntime_exported", peer(row.exported)}};
}

std::vector<std::string> ToCells(const Row& row, double floor_us) {
  const double own = MicrosecondsPerImage(row.braid, row.batch);
  std::vector<std::string> cells = {std::to_string(row.batch), std::to_string(row.threads),
                                    fmt::format("{:.2f}", own),
                                    floor_us > 0 ? fmt::format("{:.0f} %", 100 * floor_us / own) : "-"};
  for (const RoundTimes* times : {&row.int8, &row.f32, &row.exported}) {
    if (times->least_ns.empty()) {
      cells.insert(cells.end(), {"-", "-"});
      continue;
    }
    const Spread ratio = SpeedRatio(row.braid, *times);
    cells.push_back(fmt::format("{:.2f}", MicrosecondsPerImage(*times, row.batch)));
    cells.push_back(fmt::format("{:.2f} [{:.2f}, {:.2f}]", ratio.median, ratio.least, ratio.greatest));
  }
  return cells;
}

// The least time of each layer over many runs of one image, and its floor.
Result<Json> Layers(const model::Network& network, const model::OperatingPoint& point,
                    double peak_gops, std::vector<std::vector<std::string>>& table) {
  BRAID_ASSIGN_OR_RETURN(const auto runner, Runner::Make(network, point, 1, 1));
  const std::vector<double> least_us = runner->LayerTimes();
  Json layers = Json::array();
  const GroupSet groups = network.sub_networks[static_cast<size_t>(point.terms[0])].groups;
  table = {{"layer", "us", "MMAC", "floor us"}};
  for (size_t i = 0; i < network.layers.size(); ++i) {
    if (least_us[i] <= 0) continue;
    const int64_t macs = LayerMacs(network, groups, static_cast<int>(i));
    const double floor = peak_gops > 0 ? 2e-3 * static_cast<double>(macs) / peak_gops : 0;
    layers.push_back({{"name", network.layers[i].name},
                      {"us", least_us[i]},
                      {"macs", macs},
                      {"floor_us", floor}});
    table.push_back({network.layers[i].name, fmt::format("{:.2f}", least_us[i]),
                     fmt::format("{:.3f}", static_cast<double>(macs) / 1e6),
                     fmt::format("{:.2f}", floor)});
  }
  return layers;
}

Status RunModel(const Arguments& arguments) {
  if (arguments.model.empty() == arguments.random.empty()) {
    return InvalidArgument("give either --model FILE or --random resnet20");
  }
  BRAID_ASSIGN_OR_RETURN(const model::Network network, Load(arguments));
  BRAID_ASSIGN_OR_RETURN(const model::OperatingPoint* point, ChoosePoint(network, arguments.point));
  if (arguments.onnxruntime.empty()) {
    spdlog::warn("ONNX Runtime is absent: give --onnxruntime LIBRARY with --onnx-int8, --onnx-f32");
  }
  const SystemClock clock;
  const Peaks peaks = MeasurePeaks(clock, std::chrono::milliseconds(100));
  const double peak = peaks.vpdpbusd_gops > 0 ? peaks.vpdpbusd_gops : peaks.vpmaddubsw_gops;
  const double floor_us =
      peak > 0 ? 2e-3 * static_cast<double>(point->macs_worst) / peak : 0;  // one thread
  BRAID_ASSIGN_OR_RETURN(const FirstPlan first, MakeFirstPlan(network, *point));
  std::optional<Spread> cold_start;  // files only
  if (!arguments.model.empty()) {
    const Result<Spread> measured = ColdStartMs(arguments.model, point->name, 15);
    if (measured.ok()) cold_start = *measured;
    if (!measured.ok()) spdlog::warn("cold start: {}", measured.status().ToString());
  }
  std::vector<std::vector<std::string>> layer_table;
  BRAID_ASSIGN_OR_RETURN(const Json layers, Layers(network, *point, peak, layer_table));
  std::vector<Row> rows;
  for (const int threads : arguments.threads) {
    for (const int batch : arguments.batches) {
      BRAID_ASSIGN_OR_RETURN(Row row, Measure(arguments, network, *point, batch, threads));
      rows.push_back(std::move(row));
    }
  }
  if (arguments.json) {
    Json report = {{"version", BRAID_VERSION},
                   {"processor", ProcessorModel()},
                   {"network", network.name},
                   {"operating_point", point->name},
                   {"macs", point->macs_worst},
                   {"peak_gops", peak},
                   {"floor_us_per_image", floor_us},
                   {"prepare_us", first.prepare_us},
                   {"plan_us", first.plan_us},
                   {"cold_start_ms", cold_start ? ToJson(*cold_start) : Json(nullptr)},
                   {"layers", layers},
                   {"cases", Json::array()}};
    for (const Row& row : rows) report["cases"].push_back(ToJson(row, floor_us / row.threads));
    PrintJson(report);
    return OkStatus();
  }
  fmt::print("{}, point {}: {:.3f} MMAC, floor {:.2f} us at {:.0f} GOPS; weights packed in {:.0f} us, "
             "plan with all its code in {:.0f} us\n",
             network.name, point->name, static_cast<double>(point->macs_worst) / 1e6, floor_us, peak,
             first.prepare_us, first.plan_us);
  if (cold_start) {
    fmt::print("cold start to first answer: {:.1f} ms [{:.1f}, {:.1f}]\n", cold_start->median,
               cold_start->least, cold_start->greatest);
  }
  PrintTable(layer_table);
  std::vector<std::vector<std::string>> table = {{"batch", "threads", "braid us/image", "of floor",
                                                  "ort int8", "ratio", "ort f32", "ratio",
                                                  "ort of export", "ratio"}};
  for (const Row& row : rows) table.push_back(ToCells(row, floor_us / row.threads));
  PrintTable(table);
  return OkStatus();
}

}  // namespace

void AddModelCommand(CLI::App& program, Work& work) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("model", "A whole network beside ONNX Runtime");
  command->add_option("--model", a->model, "A .braid file");
  command->add_option("--random", a->random, "A network with random weights instead")
      ->check(CLI::IsMember({"resnet20"}));
  command->add_option("--point", a->point, "Operating point; by default the whole network");
  command->add_option("--batch", a->batches, "Images at a time")->delimiter(',');
  command->add_option("--threads", a->threads, "Threads; each takes a part of the batch")
      ->delimiter(',');
  command->add_option("--onnxruntime", a->onnxruntime, "Path of libonnxruntime.so");
  command->add_option("--onnx-int8", a->onnx_int8, "Its quantized model (tools/onnx_twin.py)");
  command->add_option("--onnx-f32", a->onnx_f32, "Its float model");
  command->add_option("--onnx-exported", a->onnx_exported, "What `braid export` wrote, for it to run");
  command->add_option("--rounds", a->rounds, "Turns of each library")->check(CLI::Range(1, 1000));
  command->add_option("--min-ms", a->min_ms, "Time of one turn")->check(CLI::Range(1, 10'000));
  command->add_flag("--json", a->json, "One JSON document on standard output");
  command->callback([a, &work] { work = [a] { return RunModel(*a); }; });
}

}  // namespace braid::bench
