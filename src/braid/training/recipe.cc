// Defaults, checks and JSON of recipes. Layer: training.
#include "braid/training/recipe.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "braid/training/backbone.h"
#include "braid/training/family.h"

namespace braid::training {
namespace {

using Json = nlohmann::ordered_json;

// Calls visit(key, field) for every field but the policy, in the order of the file.
template <typename R, typename Visit>
void ForEachField(R& r, Visit visit) {
  visit("family", r.family);
  visit("data", r.data);
  visit("backbone", r.backbone);
  visit("channels", r.channels);
  visit("dense", r.dense);
  visit("seed", r.seed);
  visit("epochs", r.epochs);
  visit("batch", r.batch);
  visit("optimizer", r.optimizer);
  visit("learning_rate", r.learning_rate);
  visit("weight_decay", r.weight_decay);
  visit("shift", r.shift);
  visit("flip", r.flip);
  visit("patch", r.patch);
  visit("clip", r.clip);
  visit("loss", r.loss);
  visit("outer_iterations", r.outer_iterations);
  visit("freeze", r.freeze);
  visit("write_back", r.write_back);
  visit("distillation", r.distillation);
  visit("sum_loss", r.sum_loss);
  visit("full_weight", r.full_weight);
  visit("narrow_weight", r.narrow_weight);
  visit("from", r.from);
  visit("bounded_from", r.bounded_from);
  visit("bound_rank", r.bound_rank);
  visit("bits", r.bits);
  visit("validation", r.validation);
}

bool TypeFits(const Json& value, const std::string&) { return value.is_string(); }
bool TypeFits(const Json& value, bool) { return value.is_boolean(); }
bool TypeFits(const Json& value, int) {
  if (!value.is_number_integer()) return false;
  const auto wide = value.get<int64_t>();
  return wide >= std::numeric_limits<int>::min() && wide <= std::numeric_limits<int>::max();
}
bool TypeFits(const Json& value, uint64_t) { return value.is_number_unsigned(); }
bool TypeFits(const Json& value, double) { return value.is_number(); }

Status OutsideRange(const std::string& field, double low, double high) {
  return InvalidArgument(field + ": not within " + std::to_string(low) + ".." +
                         std::to_string(high));
}

Status CheckRange(const std::string& field, double value, double low, double high) {
  return std::isfinite(value) && value >= low && value <= high ? OkStatus()
                                                               : OutsideRange(field, low, high);
}

}  // namespace

Recipe DefaultRecipe(const std::string& family, const std::string& data,
                     const std::string& backbone) {
  Recipe recipe;
  recipe.family = family;
  recipe.data = data;
  recipe.backbone = backbone;
  if (BackboneNormalizes(backbone)) recipe.channels = 16;
  if (BackboneRestores(backbone)) {
    recipe.channels = 64;
    recipe.epochs = 20;
    recipe.learning_rate = 1e-3;
    recipe.weight_decay = 1e-4;
    recipe.clip = 1;
    // The few largest activations are the edges that PSNR is about.
    recipe.bound_rank = 0.99997;
    recipe.shift = 0;
    recipe.flip = true;
    // Most errors of a finely coded image are 0, so its least absolute error is to add nothing.
    if (backbone == "vrcnn") recipe.loss = "squared";
  }
  if (data == "mnist") recipe.epochs = 4;
  // Centred clothes: shifts and mirrors cost more steps than these few epochs have.
  if (data == "fashion-mnist") recipe.shift = 0;
  if (data == "cifar10") {
    recipe.epochs = 6;
    recipe.learning_rate = 3e-3;
    recipe.flip = true;
    recipe.shift = 3;
  }
  // Chosen by the comparison in docs/results/fluid.md. Families without shared weights have no use
  // for any of it.
  if (family == "fluid2" || family == "fluid4") {
    recipe.distillation = 1;
    recipe.full_weight = 2;
    recipe.narrow_weight = 1.5;
  }
  // The predecessor's method: the family that Fluid is compared with.
  if (family == "dynamic") {
    recipe.policy = Policy::kIncremental;
    recipe.freeze = true;
    if (data != "cifar10") recipe.learning_rate = 5e-3;  // better than 1e-2 for it alone
  }
  return recipe;
}

Status CheckRecipe(const Recipe& r) {
  if (const auto family = MakeFamily(r.family); !family.ok()) return family.status();
  BackboneSpec spec;
  spec.name = r.backbone;
  spec.channels = r.channels;
  spec.dense = r.dense;
  if (const auto backbone = MakeBackbone(spec); !backbone.ok()) return backbone.status();
  BRAID_RETURN_IF_ERROR(CheckRange("epochs", r.epochs, 1, 100000));
  BRAID_RETURN_IF_ERROR(CheckRange("batch", r.batch, 2, 65536));
  if (r.optimizer != "adamw" && r.optimizer != "sgd") {
    return InvalidArgument("optimizer: '" + r.optimizer + "' is neither adamw nor sgd");
  }
  BRAID_RETURN_IF_ERROR(CheckRange("learning_rate", r.learning_rate, 0, 10));
  BRAID_RETURN_IF_ERROR(CheckRange("weight_decay", r.weight_decay, 0, 10));
  BRAID_RETURN_IF_ERROR(CheckRange("shift", r.shift, 0, 64));
  BRAID_RETURN_IF_ERROR(CheckRange("patch", r.patch, 16, 512));
  BRAID_RETURN_IF_ERROR(CheckRange("clip", r.clip, 0, 1e6));
  if (r.loss != "absolute" && r.loss != "squared") {
    return InvalidArgument("loss: '" + r.loss + "' is neither absolute nor squared");
  }
  BRAID_RETURN_IF_ERROR(CheckRange("outer_iterations", r.outer_iterations, 1, 1000));
  BRAID_RETURN_IF_ERROR(CheckRange("distillation", r.distillation, 0, 100));
  BRAID_RETURN_IF_ERROR(CheckRange("sum_loss", r.sum_loss, 0, 100));
  BRAID_RETURN_IF_ERROR(CheckRange("full_weight", r.full_weight, 0, 100));
  BRAID_RETURN_IF_ERROR(CheckRange("narrow_weight", r.narrow_weight, 0, 100));
  BRAID_RETURN_IF_ERROR(CheckRange("bounded_from", r.bounded_from, 0, 1));
  BRAID_RETURN_IF_ERROR(CheckRange("bound_rank", r.bound_rank, 0.5, 1));
  BRAID_RETURN_IF_ERROR(CheckRange("bits", r.bits, 2, 8));
  if (r.bits < 8 && BackboneRestores(r.backbone)) {
    return InvalidArgument("bits: " + r.backbone + " is measured as a model file, which holds 8");
  }
  return CheckRange("validation", r.validation, 0, 1 << 30);
}

std::string RecipeToJson(const Recipe& recipe) {
  Json json;
  ForEachField(recipe, [&](const char* key, const auto& field) { json[key] = field; });
  json["policy"] = recipe.policy == Policy::kJoint ? "joint" : "incremental";
  return json.dump();
}

Result<Recipe> RecipeFromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return InvalidArgument("recipe: no JSON object");
  Recipe recipe;
  Status status;
  size_t known = 0;
  ForEachField(recipe, [&](const char* key, auto& field) {
    const auto it = json.find(key);
    if (it == json.end()) return;
    ++known;
    if (!TypeFits(*it, field)) {
      status = InvalidArgument(std::string("recipe: ") + key + " has the wrong type");
      return;
    }
    field = it->template get<std::decay_t<decltype(field)>>();
  });
  BRAID_RETURN_IF_ERROR(status);
  if (const auto it = json.find("policy"); it != json.end()) {
    ++known;
    if (*it == "joint") {
      recipe.policy = Policy::kJoint;
    } else if (*it == "incremental") {
      recipe.policy = Policy::kIncremental;
    } else {
      return InvalidArgument("recipe: policy is neither joint nor incremental");
    }
  }
  if (known != json.size()) return InvalidArgument("recipe: has an unknown key");
  BRAID_RETURN_IF_ERROR(CheckRecipe(recipe).WithContext("recipe"));
  return recipe;
}

std::string CommandOf(const Recipe& r) {
  const auto number = [](double v) { return nlohmann::json(v).dump(); };
  std::string command = "braid train --recipe " + r.family + " --data " + r.data + " --backbone " +
                        r.backbone + " --seed " + std::to_string(r.seed) + " --epochs " +
                        std::to_string(r.epochs) + " --batch " + std::to_string(r.batch) +
                        " --channels " + std::to_string(r.channels) + " --optimizer " + r.optimizer +
                        " --learning-rate " +
                        number(r.learning_rate) + " --weight-decay " + number(r.weight_decay) +
                        " --shift " + std::to_string(r.shift) + (r.flip ? " --flip" : " --no-flip");
  if (BackboneRestores(r.backbone)) {
    command += " --patch " + std::to_string(r.patch) + " --loss " + r.loss;
  }
  if (r.clip > 0 || BackboneRestores(r.backbone)) command += " --clip " + number(r.clip);
  if (r.policy == Policy::kIncremental) {
    command += " --policy incremental --outer-iterations " + std::to_string(r.outer_iterations) +
               (r.freeze ? " --freeze" : " --no-freeze") +
               (r.write_back ? " --write-back" : " --no-write-back");
  } else {
    command += " --policy joint --distillation " + number(r.distillation) + " --sum-loss " +
               number(r.sum_loss) + " --full-weight " + number(r.full_weight) +
               " --narrow-weight " + number(r.narrow_weight);
  }
  if (!r.from.empty()) command += " --from " + r.from;
  command += " --bounded-from " + number(r.bounded_from) + " --bound-rank " + number(r.bound_rank);
  if (r.bits != 8) command += " --bits " + std::to_string(r.bits);
  if (r.validation > 0) command += " --validation " + std::to_string(r.validation);
  return command + (r.dense ? "" : " --grouped");
}

std::string RunName(const Recipe& recipe) {
  const bool named = recipe.backbone != "cnn" && recipe.backbone != "resnet";
  return recipe.family + (named ? "_" + recipe.backbone : "") + "_" + recipe.data + "_s" + std::to_string(recipe.seed) +
         (recipe.bits != 8 ? "_" + std::to_string(recipe.bits) + "bit" : "") +
         (recipe.validation > 0 ? "_held-out" : "");
}

}  // namespace braid::training
