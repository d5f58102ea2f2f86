// Checkpoint files. Layer: training.
#include "braid/training/checkpoint.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "braid/base/file.h"
#include "braid/training/safetensors.h"

namespace braid::training {
namespace {

using Json = nlohmann::ordered_json;
using Named = std::vector<std::pair<std::string, torch::Tensor>>;

// Every tensor of a checkpoint, as views that can be written to.
Named AllTensors(BraidedNet& net, Optimizer& optimizer) {
  Named all;
  Parameters& p = net.parameters();
  for (size_t i = 0; i < p.size(); ++i) {
    const std::string& name = p.spec(i).name;
    all.emplace_back(name, p.Slice(p.values(), i));
    all.emplace_back("adam_m/" + name, p.Slice(optimizer.first_moment(), i));
    all.emplace_back("adam_v/" + name, p.Slice(optimizer.second_moment(), i));
  }
  for (auto& [name, tensor] : net.Buffers()) all.emplace_back("buffer/" + name, tensor);
  return all;
}

const char* DtypeName(const torch::Tensor& t) {
  if (t.scalar_type() == torch::kFloat64) return "F64";
  return t.scalar_type() == torch::kInt64 ? "I64" : "F32";
}

Result<SafeTensors> ReadContent(const std::string& path) {
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadFile(path));
  Result<SafeTensors> content = ParseSafeTensors(bytes);
  if (!content.ok()) return content.status().WithContext(path);
  return content;
}

Result<Position> ParsePosition(const SafeTensors& content, int64_t& optimizer_steps) {
  const auto it = content.metadata.find("position");
  if (it == content.metadata.end()) return DataLoss("metadata has no position");
  const Json json = Json::parse(it->second, nullptr, false);
  Position position;
  for (const auto& [key, field] :
       {std::pair("stage", &position.stage), std::pair("stage_step", &position.stage_step),
        std::pair("global_step", &position.global_step)}) {
    const bool fits = json.is_object() && json.contains(key) && json[key].is_number_unsigned() &&
                      json[key].get<uint64_t>() < (1u << 30);
    if (!fits) return DataLoss(std::string("position: ") + key + " is missing or no count");
    *field = json[key].get<int>();
  }
  const bool rest_fits = json.contains("done") && json["done"].is_boolean() &&
                         json.contains("optimizer_steps") &&
                         json["optimizer_steps"].is_number_unsigned();
  if (!rest_fits) return DataLoss("position: done or optimizer_steps is missing");
  position.done = json["done"].get<bool>();
  optimizer_steps = json["optimizer_steps"].get<int64_t>();
  return position;
}

}  // namespace

Status SaveCheckpoint(const std::string& path, const Recipe& recipe, BraidedNet& net,
                      Optimizer& optimizer, const Position& position) {
  SafeTensors content;
  content.metadata["format"] = "braid-checkpoint-1";
  content.metadata["recipe"] = RecipeToJson(recipe);
  const Json json = {{"stage", position.stage},
                     {"stage_step", position.stage_step},
                     {"global_step", position.global_step},
                     {"done", position.done},
                     {"optimizer_steps", optimizer.steps}};
  content.metadata["position"] = json.dump();
  for (const auto& [name, tensor] : AllTensors(net, optimizer)) {
    const torch::Tensor plain = tensor.detach().to(torch::kCPU).contiguous();
    SafeTensor& out = content.tensors[name];
    out.dtype = DtypeName(plain);
    out.shape = plain.sizes().vec();
    out.bytes.resize(plain.nbytes());
    if (!out.bytes.empty()) std::memcpy(out.bytes.data(), plain.data_ptr(), out.bytes.size());
  }
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, WriteSafeTensors(content));
  return WriteFileAtomically(path, bytes);
}

Result<Recipe> ReadCheckpointRecipe(const std::string& path) {
  BRAID_ASSIGN_OR_RETURN(const SafeTensors content, ReadContent(path));
  const auto format = content.metadata.find("format");
  if (format == content.metadata.end() || format->second != "braid-checkpoint-1") {
    return DataLoss(path + ": not a checkpoint of braid-train");
  }
  const auto it = content.metadata.find("recipe");
  if (it == content.metadata.end()) return DataLoss(path + ": metadata has no recipe");
  Result<Recipe> recipe = RecipeFromJson(it->second);
  if (!recipe.ok()) return recipe.status().WithContext(path);
  return recipe;
}

Result<Position> LoadCheckpoint(const std::string& path, BraidedNet& net, Optimizer& optimizer) {
  torch::NoGradGuard no_grad;
  BRAID_ASSIGN_OR_RETURN(const SafeTensors content, ReadContent(path));
  const Named all = AllTensors(net, optimizer);
  for (const auto& [name, tensor] : all) {
    const auto it = content.tensors.find(name);
    if (it == content.tensors.end()) return DataLoss(path + ": lacks the tensor '" + name + "'");
    const SafeTensor& from = it->second;
    if (from.shape != tensor.sizes().vec() || from.dtype != DtypeName(tensor)) {
      return DataLoss(path + ": tensor '" + name + "' has another shape or type");
    }
    torch::Tensor loaded = torch::empty(tensor.sizes(), tensor.options().device(torch::kCPU));
    if (!from.bytes.empty()) std::memcpy(loaded.data_ptr(), from.bytes.data(), from.bytes.size());
    if (loaded.is_floating_point() && !loaded.isfinite().all().item<bool>()) {
      return DataLoss(path + ": tensor '" + name + "' holds a value that is not finite");
    }
    torch::Tensor target = tensor;
    target.copy_(loaded);
  }
  if (content.tensors.size() != all.size()) {
    return DataLoss(path + ": holds a tensor that its recipe does not have");
  }
  net.AfterBuffersLoaded();
  Result<Position> position = ParsePosition(content, optimizer.steps);
  if (!position.ok()) return position.status().WithContext(path);
  return position;
}

}  // namespace braid::training
