// PSNR of models that restore images. Layer: cli.
#include "braid/cli/restoration.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "braid/cli/report.h"
#include "braid/data/dataset.h"
#include "braid/data/restoration/degraded_set.h"
#include "braid/model/file.h"

namespace braid::cli {
namespace {

// The figure that the card states for a point, a set and a level; null where it has none.
Json OfCard(const Json& card, const std::string& key, const std::string& point,
            const data::SetPsnr& psnr) {
  if (!card.is_object() || !card.contains("psnr") || !card["psnr"].is_array()) return {};
  for (const Json& row : card["psnr"]) {
    if (row.is_object() && row.value("operating_point", Json()) == point &&
        row.value("set", Json()) == psnr.set && row.value(data::LevelKey(psnr.degradation), Json()) == psnr.level) {
      return row.value(key, Json());
    }
  }
  return {};
}

void Print(const Json& report, data::Degradation degradation) {
  const char* const level = data::LevelKey(degradation);
  const char* const degraded = data::DegradedKey(degradation);
  fmt::print("{}: {} (data {}), kernels {}\n", report["model"].get<std::string>(),
             report["set"].get<std::string>(),
             report["data_digest"].get<std::string>().substr(0, 12),
             report["kernels"].get<std::string>());
  std::vector<std::vector<std::string>> rows = {
      {"point", level, degraded, "float (card)", "integer", "Mpixel/s"}};
  for (const Json& row : report["psnr"]) {
    const Json& card = row["card_float"];
    rows.push_back({row["operating_point"], (degradation == data::Degradation::kReduced ? "x" : "") + row[level].dump(),
                    fmt::format("{:.3f} dB", row[degraded].get<double>()),
                    card.is_number() ? fmt::format("{:.3f} dB", card.get<double>()) : "",
                    fmt::format("{:.3f} dB", row["integer"].get<double>()),
                    fmt::format("{:.2f}", row["mpixel_per_s"].get<double>())});
  }
  PrintTable(rows, {1, 2, 3, 4, 5});
}

}  // namespace

data::Restore RestoreWith(runtime::Restorer& restorer) {
  return [&restorer](const data::LumaImage& image) -> Result<data::LumaImage> {
    data::LumaImage out = image;
    BRAID_ASSIGN_OR_RETURN(out.pixels, restorer.Restore(image.pixels, image.height, image.width));
    return out;
  };
}

Status EvaluateRestoration(const RestorationEvalOptions& options) {
  BRAID_ASSIGN_OR_RETURN(const kernels::Path path, ChoosePath(options.model.kernels));
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(options.model.model));
  BRAID_ASSIGN_OR_RETURN(const auto points, ChoosePoints(file.network, options.points));
  BRAID_ASSIGN_OR_RETURN(data::DegradedSet set,
                         data::LoadDegradedSet(options.set, data::DefaultFolders()));
  if (options.limit > 0 && options.limit < static_cast<int>(set.originals.images.size())) {
    set = data::TakeImages(set, 0, options.limit);
  }
  const Json card = Json::parse(file.network.card, nullptr, false);
  Json report = {{"model", options.model.model},      {"model_digest", file.digest},
                 {"network", file.network.name},      {"set", set.name},
                 {"images", set.originals.images.size()}, {"data_digest", set.digest},
                 {"kernels", kernels::PathName(path)}};
  report["psnr"] = Json::array();
  for (const model::OperatingPoint* point : points) {
    BRAID_ASSIGN_OR_RETURN(
        const std::unique_ptr<runtime::Restorer> restorer,
        runtime::Restorer::Make(file.network, *point,
                                {.path = path, .threads = {.count = options.threads}}));
    double seconds = 0;
    int64_t pixels = 0;
    const data::Restore restore = RestoreWith(*restorer);
    const auto timed = [&](const data::LumaImage& image) {
      const auto start = std::chrono::steady_clock::now();
      Result<data::LumaImage> restored = restore(image);
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      pixels += static_cast<int64_t>(image.pixels.size());
      return restored;
    };
    BRAID_ASSIGN_OR_RETURN(const std::vector<data::SetPsnr> measured,
                           data::MeasurePsnr({set}, timed));
    for (const data::SetPsnr& psnr : measured) {
      report["psnr"].push_back(
          {{"operating_point", point->name},
           {data::LevelKey(psnr.degradation), psnr.level},
           {data::DegradedKey(psnr.degradation), psnr.degraded},
           {"integer", psnr.restored},
           {"card_float", OfCard(card, "float", point->name, psnr)},
           {"card_integer", OfCard(card, "integer", point->name, psnr)},
           {"mpixel_per_s", static_cast<double>(pixels) / 1e6 / std::max(seconds, 1e-9)}});
    }
  }
  if (options.json) {
    PrintJson(report);
  } else {
    Print(report, set.degradation);
  }
  return OkStatus();
}

}  // namespace braid::cli
