// The models that a process serves, by name and version. Layer: serving.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/serving/served_model.h"

namespace braid::serving {

// Thread-safe. A version becomes visible whole, by Add, or not at all.
class Catalog {
 public:
  using ModelPtr = std::shared_ptr<ServedModel>;
  struct IndexEntry {
    std::string name;
    std::string version;
    ModelPtr model;  // null for one that could not be loaded
    Status reason;   // why it is not ready; OK when it is
  };

  ~Catalog();

  // Called at each change of any model's readiness, on a thread of its own; before the first Add.
  // The returned number is for RemoveListener, after which no call runs or follows.
  int AddListener(std::function<void()> changed);
  void RemoveListener(int listener);

  // Takes the model in and starts its self-tests. ALREADY_EXISTS for a version that is there.
  Status Add(ModelPtr model);
  // A version that could not be loaded, for the index.
  void AddFailed(const std::string& name, const std::string& version, const Status& reason);

  // The version asked for; an empty one means the highest, an empty name the only model.
  // NOT_FOUND, which says what there is.
  Result<ModelPtr> Find(const std::string& name, const std::string& version) const;
  // Of one model, ascending; empty when there is no such model.
  std::vector<std::string> Versions(const std::string& name) const;
  std::vector<ModelPtr> Models() const;
  std::vector<IndexEntry> Index() const;
  // Distinct names, sorted.
  std::vector<std::string> Names() const;

  // All models are ready, there is one, and nothing drains.
  bool ready() const;
  // The highest version of the model is ready.
  bool ready(const std::string& name) const;
  // Why not, or OK.
  Status reason() const;
  // Says not ready from now on; requests are still answered.
  void Drain();
  bool draining() const;

 private:
  using Versions_ = std::map<int64_t, ModelPtr>;
  void Changed();

  mutable std::mutex mutex_;
  std::map<std::string, Versions_, std::less<>> models_;
  std::map<std::pair<std::string, std::string>, Status> failed_;
  bool draining_ = false;
  std::mutex listeners_mutex_;  // held while listeners run
  std::map<int, std::function<void()>> listeners_;
  int next_listener_ = 1;
};

// A version as Triton names them: a number above 0 without leading zeros; -1 for anything else.
int64_t ParseVersion(const std::string& text);

}  // namespace braid::serving
