// Integers, measurements and card of a restoring network. Layer: training.
#include "braid/training/restoration/export.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "braid/model/file.h"
#include "braid/model/restoration.h"
#include "braid/training/evaluate.h"
#include "braid/training/quantization/exporter.h"
#include "braid/training/restoration/patches.h"
#include "braid/training/restoration/psnr_evaluation.h"
#include "braid/training/restoration/restoration.h"
#include "braid/training/trainer.h"
#include "braid/verify/test_vectors.h"

namespace braid::training {
namespace {

using Json = nlohmann::ordered_json;
using Arithmetic = BraidedNet::Arithmetic;

static_assert(kLogitStep * (1 << model::kAddedShift) == kInputStep,
              "a restoring head's logits are in 1/2^kAddedShift of a gray level");

// Training patches from which the range of the head is taken.
constexpr int kRangeBatch = 64;
constexpr int kRangeBatches = 8;
// Patches that test vectors are chosen from, besides generated images.
constexpr int kPictures = 32;

// Tenths of a thousandth of a dB say more than a training's noise.
double Rounded(double decibels) { return std::round(decibels * 1e4) / 1e4; }

Result<std::vector<std::vector<uint8_t>>> RangePatches(const data::DegradedSet& train,
                                                       const Recipe& recipe) {
  Patches::Options options = PatchOptions(recipe);
  options.batch = kRangeBatch;
  BRAID_ASSIGN_OR_RETURN(const Patches patches, Patches::Make(train, options));
  std::vector<std::vector<uint8_t>> batches(kRangeBatches);
  std::vector<uint8_t> original(static_cast<size_t>(kRangeBatch) *
                                static_cast<size_t>(recipe.patch) *
                                static_cast<size_t>(recipe.patch));
  for (int i = 0; i < kRangeBatches; ++i) {
    std::vector<uint8_t>& degraded = batches[static_cast<size_t>(i)];
    degraded.resize(original.size());
    patches.Fill(i, degraded, original);
  }
  return batches;
}

Result<Json> MeasurePoint(BraidedNet& net, const model::Network& network,
                          const model::OperatingPoint& point, const Recipe& recipe,
                          const std::vector<data::DegradedSet>& tests) {
  const GroupSet groups = network.sub_networks[static_cast<size_t>(point.terms.front())].groups;
  const int sub = net.Find(groups);
  BRAID_ASSIGN_OR_RETURN(const auto integer, IntegerPsnr(network, point, tests));
  net.SetArithmetic(Arithmetic::kBounded);
  BRAID_ASSIGN_OR_RETURN(const auto bounded, FloatPsnr(net, sub, tests));
  // Trained in floating point to the end: this is the network that the bounds came after.
  std::vector<data::SetPsnr> unbounded;
  if (recipe.bounded_from >= 1) {
    net.SetArithmetic(Arithmetic::kUnbounded);
    BRAID_ASSIGN_OR_RETURN(unbounded, FloatPsnr(net, sub, tests));
  }
  net.SetArithmetic(Arithmetic::kRounded);
  Json rows = Json::array();
  for (size_t i = 0; i < integer.size(); ++i) {
    Json row = {{"operating_point", point.name},
                {"set", integer[i].set},
                {data::LevelKey(integer[i].degradation), integer[i].level},
                {data::DegradedKey(integer[i].degradation), Rounded(integer[i].degraded)},
                {"float", Rounded(bounded[i].restored)},
                {"integer", Rounded(integer[i].restored)}};
    if (!unbounded.empty()) row["unbounded"] = Rounded(unbounded[i].restored);
    rows.push_back(std::move(row));
  }
  return rows;
}

Json DescribeSet(const data::DegradedSet& set) {
  return {{"split", set.name},
          {"images", set.originals.images.size()},
          {"digest", set.digest}};
}

std::string MakeCard(const Recipe& recipe, const RestorerData& data, const FinishOptions& options,
                     const Json& psnr) {
  Json card = {{"name", RunName(recipe)}, {"dataset", data.train.name}};
  card["train"] = DescribeSet(data.train);
  for (const data::DegradedSet& test : data.tests) card["test"].push_back(DescribeSet(test));
  card["command"] = options.command;
  card["seed"] = recipe.seed;
  card["epochs"] = recipe.epochs;
  card["recipe"] = Json::parse(RecipeToJson(recipe));
  if (options.seconds > 0) card["training_seconds"] = std::round(options.seconds);
  card["psnr"] = psnr;
  card["licence"] = "Apache-2.0";
  card["data_terms"] =
      "T91, Set5, Set14, Classic5: research benchmarks without a formal licence";
  card["maker"] = "braid-train " BRAID_VERSION;
  return card.dump();
}

void Print(const Json& rows, data::Degradation degradation, const std::string& path) {
  const char* const level = data::LevelKey(degradation);
  const char* const degraded = data::DegradedKey(degradation);
  std::printf("%s\n%-8s %-24s %5s %10s %10s %10s\n", path.c_str(), "point", "set", level, degraded,
              "float", "integer");
  for (const Json& row : rows) {
    std::printf("%-8s %-24s %5d %7.3f dB %7.3f dB %7.3f dB\n",
                row["operating_point"].get<std::string>().c_str(),
                row["set"].get<std::string>().c_str(), row[level].get<int>(),
                row[degraded].get<double>(), row["float"].get<double>(),
                row["integer"].get<double>());
  }
}

}  // namespace

Result<std::string> ExportRestorer(Trainer& trainer, const Recipe& recipe, const RestorerData& data,
                                   const FinishOptions& options) {
  BraidedNet& net = trainer.net();
  BRAID_ASSIGN_OR_RETURN(const auto patches, RangePatches(data.train, recipe));
  std::vector<torch::Tensor> inputs;
  for (const std::vector<uint8_t>& batch : patches) {
    inputs.push_back(net.Input(PixelTensor(batch, kRangeBatch, recipe.patch, recipe.patch, 1)));
  }
  BRAID_ASSIGN_OR_RETURN(model::Network network, ExportNetwork(net, trainer.family(), inputs));
  network.name = RunName(recipe);
  network.labels = {"added"};
  network.card = "{}";
  BRAID_RETURN_IF_ERROR(model::Validate(network));
  Json psnr = Json::array();
  for (const model::OperatingPoint& point : network.points) {
    BRAID_ASSIGN_OR_RETURN(const Json rows, MeasurePoint(net, network, point, recipe, data.tests));
    psnr.insert(psnr.end(), rows.begin(), rows.end());
  }
  network.card = MakeCard(recipe, data, options, psnr);
  const auto bytes = static_cast<size_t>(kPictures) * patches[0].size() / kRangeBatch;
  BRAID_RETURN_IF_ERROR(
      verify::AddTestVectors(network, std::span(patches[0]).first(bytes)).status());
  BRAID_RETURN_IF_ERROR(model::WriteModelFile(network, options.path));
  if (options.print) Print(psnr, data.train.degradation, options.path);
  const Json result = {{"model", network.name}, {"file", options.path}, {"psnr", psnr}};
  return result.dump();
}

}  // namespace braid::training
