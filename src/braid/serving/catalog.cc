#include "braid/serving/catalog.h"

#include <charconv>
#include <utility>

namespace braid::serving {

int64_t ParseVersion(const std::string& text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value > 0 && text.front() != '0' ? value : -1;
}

Catalog::~Catalog() {
  std::map<std::string, Versions_, std::less<>> models;
  {
    const std::lock_guard lock(mutex_);
    models.swap(models_);
  }
  // First, and from here: a thread of theirs might otherwise hold the last reference, and end itself.
  for (const auto& [name, versions] : models) {
    for (const auto& [number, model] : versions) model->StopTesting();
  }
}

int Catalog::AddListener(std::function<void()> changed) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.emplace(next_listener_, std::move(changed));
  return next_listener_++;
}

void Catalog::RemoveListener(int listener) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.erase(listener);
}

void Catalog::Changed() {
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& [id, listener] : listeners_) listener();
}

Status Catalog::Add(ModelPtr model) {
  const int64_t version = ParseVersion(model->version());
  if (version < 0) {
    return InvalidArgument("model \"" + model->name() + "\": version \"" + model->version() +
                           "\" is not a number above 0");
  }
  {
    const std::lock_guard lock(mutex_);
    if (!models_[model->name()].emplace(version, model).second) {
      return {StatusCode::kAlreadyExists, "model \"" + model->name() + "\": version " +
                                              model->version() + " is served already"};
    }
    failed_.erase({model->name(), model->version()});
  }
  model->StartTesting([this] { Changed(); });
  Changed();
  return OkStatus();
}

void Catalog::AddFailed(const std::string& name, const std::string& version,
                        const Status& reason) {
  const std::lock_guard lock(mutex_);
  failed_[{name, version}] = reason;
}

Result<Catalog::ModelPtr> Catalog::Find(const std::string& name, const std::string& version) const {
  const std::lock_guard lock(mutex_);
  auto model = models_.find(name);
  if (name.empty() && models_.size() == 1) model = models_.begin();
  if (model == models_.end()) {
    std::string known;
    for (const auto& [other, versions] : models_) {
      known += (known.empty() ? "\"" : ", \"") + other + "\"";
    }
    return NotFound("model \"" + name + "\": this device serves " +
                    (known.empty() ? "none" : known));
  }
  if (version.empty()) return model->second.rbegin()->second;
  const auto found = model->second.find(ParseVersion(version));
  if (found != model->second.end()) return found->second;
  std::string known;
  for (const auto& [number, other] : model->second) {
    known += (known.empty() ? "\"" : ", \"") + std::to_string(number) + "\"";
  }
  return NotFound("model \"" + model->first + "\": no version \"" + version + "\", only " + known);
}

std::vector<std::string> Catalog::Versions(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> versions;
  if (const auto model = models_.find(name); model != models_.end()) {
    for (const auto& [number, version] : model->second) versions.push_back(std::to_string(number));
  }
  return versions;
}

std::vector<Catalog::ModelPtr> Catalog::Models() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelPtr> all;
  for (const auto& [name, versions] : models_) {
    for (const auto& [number, model] : versions) all.push_back(model);
  }
  return all;
}

std::vector<Catalog::IndexEntry> Catalog::Index() const {
  std::vector<IndexEntry> index;
  for (const ModelPtr& model : Models()) {
    index.push_back({model->name(), model->version(), model, model->reason()});
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [key, reason] : failed_) {
    index.push_back({key.first, key.second, nullptr, reason});
  }
  return index;
}

std::vector<std::string> Catalog::Names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, versions] : models_) names.push_back(name);
  return names;
}

bool Catalog::ready() const { return reason().ok(); }

bool Catalog::ready(const std::string& name) const {
  const auto model = Find(name, "");
  return model.ok() && (*model)->ready() && !draining();
}

Status Catalog::reason() const {
  if (draining()) return Unavailable("draining");
  const auto models = Models();
  if (models.empty()) return Unavailable("no model");
  for (const ModelPtr& model : models) {
    const Status reason = model->reason();
    if (!reason.ok()) return reason.WithContext(model->name() + " version " + model->version());
  }
  return OkStatus();
}

void Catalog::Drain() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  for (const ModelPtr& model : Models()) model->Drain();
  Changed();
}

bool Catalog::draining() const {
  const std::lock_guard lock(mutex_);
  return draining_;
}

}  // namespace braid::serving
