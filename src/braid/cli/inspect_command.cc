// braid inspect: what is in a model file. Layer: cli.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "braid/cli/commands.h"
#include "braid/cli/report.h"
#include "braid/model/cost.h"
#include "braid/model/file.h"
#include "braid/model/operating_point_name.h"
#include "braid/runtime/activation_memory.h"
#include "braid/runtime/execution.h"

namespace braid::cli {
namespace {

struct Options {
  std::string model;
  bool json = false;
};

const char* OpName(model::Op op) {
  switch (op) {
    case model::Op::kInput:
      return "input";
    case model::Op::kConv:
      return "conv";
    case model::Op::kMaxPool:
      return "max pool";
    case model::Op::kSumPool:
      return "sum pool";
    case model::Op::kLinear:
      return "linear";
  }
  return "?";
}

const char* ActivationName(model::Activation activation) {
  switch (activation) {
    case model::Activation::kRelu:
      return "relu";
    case model::Activation::kSigned:
      return "signed";
    case model::Activation::kLogits:
      return "logits";
  }
  return "?";
}

Json Members(GroupSet set) {
  Json members = Json::array();
  for (const int group : set) members.push_back(group);
  return members;
}

Json DescribeLayer(const model::Network& network, size_t index) {
  const model::Layer& layer = network.layers[index];
  const auto name_of = [&](model::LayerIndex other) {
    return other == model::kNoLayer ? Json()
                                    : Json(network.layers[static_cast<size_t>(other)].name);
  };
  Json more_inputs = Json::array();
  for (const model::LayerIndex input : layer.more_inputs) more_inputs.push_back(name_of(input));
  const model::Window& w = layer.window;
  return {{"name", layer.name},
          {"op", OpName(layer.op)},
          {"input", name_of(layer.input)},
          {"more_inputs", more_inputs},
          {"shortcut", name_of(layer.shortcut)},
          {"kernel", {w.kernel_h, w.kernel_w}},
          {"stride", {w.stride_h, w.stride_w}},
          {"padding", {w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}},
          {"activation", ActivationName(layer.activation)},
          {"dense", layer.dense},
          {"filter_channels", layer.filter_channels},
          {"output", {layer.out_h, layer.out_w, layer.Channels()}},
          {"group_channels", layer.group_channels},
          {"weights", layer.weights.size()}};
}

Json DescribePoint(const model::Network& network, const model::OperatingPoint& point) {
  Json terms = Json::array();
  for (const int term : point.terms) {
    terms.push_back(Members(network.sub_networks[static_cast<size_t>(term)].groups));
  }
  const model::Layer& head = network.layers[static_cast<size_t>(point.head)];
  const bool map = head.out_h > 1 || head.out_w > 1;  // the card says how good those are
  return {{"name", point.name},
          {"terms", terms},
          {"head", head.name},
          {"accuracy", map ? Json() : Json(point.accuracy)},
          {"macs", point.macs_mean},
          {"macs_worst", point.macs_worst},
          {"weight_bytes", point.weight_bytes}};
}

// What one device for each group would carry and send: the two figures that placement turns on.
Json DescribeShare(const model::Network& network, int group) {
  const GroupSet share = GroupSet::Single(group);
  const GroupSet all = GroupSet::First(network.groups);
  const bool combined = model::FindSubNetwork(network, all) >= 0;
  const model::LayerIndex head = model::HeadOfExit(network, std::nullopt);
  return {{"group", group},
          {"weight_bytes", model::ShareWeightBytes(network, share)},
          {"exchange_bytes",
           combined ? Json(model::ExchangeBytes(network, all, share, head)) : Json()}};
}

// What the maps of the last head's widest sub-network take at once for one image, in one process.
Result<Json> DescribeActivations(const model::Network& network) {
  GroupSet widest;
  for (const model::SubNetwork& sub : network.sub_networks) {
    if (sub.groups.size() > widest.size()) widest = sub.groups;
  }
  BRAID_ASSIGN_OR_RETURN(
      const auto model, runtime::PreparedModel::Prepare(network, GroupSet::First(network.groups),
                                                        kernels::BestPath()));
  BRAID_ASSIGN_OR_RETURN(
      const runtime::ActivationMemory memory,
      runtime::MeasureActivationMemory(
          *model, {.groups = widest, .local = widest, .max_batch = 1, .exits = false}));
  return Json{{"groups", Members(widest)},
              {"bytes", memory.integer_maps},
              {"float_bytes", memory.float_maps}};
}

Json Describe(const std::string& path, const model::ModelFile& file, uintmax_t file_bytes) {
  const model::Network& network = file.network;
  Json report = {{"model", path},
                 {"model_digest", file.digest},
                 {"file_bytes", file_bytes},
                 {"network", network.name},
                 {"input", {network.input_h, network.input_w, network.input_c}},
                 {"labels", network.labels},
                 {"groups", network.groups},
                 {"layers", Json::array()},
                 {"sub_networks", Json::array()},
                 {"operating_points", Json::array()},
                 {"shares", Json::array()}};
  for (size_t i = 0; i < network.layers.size(); ++i) {
    report["layers"].push_back(DescribeLayer(network, i));
  }
  const model::LayerIndex head = model::HeadOfExit(network, std::nullopt);
  for (const model::SubNetwork& sub : network.sub_networks) {
    const model::Cost cost = model::SubNetworkCost(network, sub.groups, head);
    report["sub_networks"].push_back({{"groups", Members(sub.groups)},
                                      {"macs", cost.macs},
                                      {"weight_bytes", cost.weight_bytes}});
  }
  for (const model::OperatingPoint& point : network.points) {
    report["operating_points"].push_back(DescribePoint(network, point));
  }
  for (int group = 0; group < network.groups; ++group) {
    report["shares"].push_back(DescribeShare(network, group));
  }
  const Json card = Json::parse(network.card, nullptr, false);
  report["card"] = card.is_discarded() ? Json(network.card) : card;
  return report;
}

std::string Dimensions(const Json& list) {
  std::string text;
  for (const Json& value : list) text += (text.empty() ? "" : "x") + value.dump();
  return text;
}

void Print(const Json& report) {
  fmt::print(
      "{}\n  network  {}\n  digest   {}\n  file     {} bytes\n  input    {}\n  groups   {}\n",
      report["model"].get<std::string>(), report["network"].get<std::string>(),
      report["model_digest"].get<std::string>(), report["file_bytes"].get<uintmax_t>(),
      Dimensions(report["input"]), report["groups"].get<int>());
  std::vector<std::vector<std::string>> rows = {
      {"layer", "op", "input", "kernel", "stride", "output", "of each group", "weights"}};
  for (const Json& layer : report["layers"]) {
    std::string op = layer["op"];
    if (!layer["dense"].get<bool>()) op += ", grouped";
    if (!layer["shortcut"].is_null()) op += ", + " + layer["shortcut"].get<std::string>();
    const int width = layer["filter_channels"];
    if (width > 0) op += fmt::format(", {} a filter", width);
    std::string inputs = layer["input"].is_null() ? "" : layer["input"].get<std::string>();
    for (const Json& input : layer["more_inputs"]) inputs += " " + input.get<std::string>();
    std::string channels;
    for (const Json& value : layer["group_channels"]) {
      channels += (channels.empty() ? "" : " ") + value.dump();
    }
    rows.push_back({layer["name"], op,
                    inputs, Dimensions(layer["kernel"]), Dimensions(layer["stride"]),
                    Dimensions(layer["output"]), channels, layer["weights"].dump()});
  }
  fmt::print("\n");
  PrintTable(rows, {7});
  rows = {{"operating point", "head", "accuracy", "MMAC", "weights KB"}};
  for (const Json& point : report["operating_points"]) {
    rows.push_back({point["name"], point["head"],
                    point["accuracy"].is_null()
                        ? ""
                        : fmt::format("{:.2f} %", 100 * point["accuracy"].get<double>()),
                    fmt::format("{:.3f}", point["macs"].get<double>() / 1e6),
                    fmt::format("{:.1f}", point["weight_bytes"].get<double>() / 1e3)});
  }
  fmt::print("\n");
  PrintTable(rows, {2, 3, 4});
  fmt::print("\nactivations of one image: {} bytes, {} with float32 maps\n",
             report["activations"]["bytes"].get<int64_t>(),
             report["activations"]["float_bytes"].get<int64_t>());
  fmt::print("\ncard {}\n", report["card"].dump(2));
}

Status Inspect(const Options& options) {
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(options.model));
  std::error_code error;
  const auto bytes = std::filesystem::file_size(options.model, error);
  if (error) return Internal(options.model + ": " + error.message());
  Json report = Describe(options.model, file, bytes);
  BRAID_ASSIGN_OR_RETURN(report["activations"], DescribeActivations(file.network));
  if (options.json) {
    PrintJson(report);
  } else {
    Print(report);
  }
  return OkStatus();
}

}  // namespace

void AddInspectCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* inspect = program.add_subcommand("inspect", "What is in a model file");
  inspect->add_option("model", options->model, "The .braid file")->required()->type_name("FILE");
  inspect->add_flag("--json", options->json, "Report as one JSON document");
  inspect->callback([options, &work] { work = [options] { return Inspect(*options); }; });
}

}  // namespace braid::cli
