#include "braid/onnxruntime/session.h"

#include <dlfcn.h>

#include <cstring>

#include "braid/base/rng.h"

namespace braid {
namespace {

// The C interface is a table of functions that only ever grows; these are the places of those used
// here, which have not moved since version 1 of the table.
enum Place : size_t {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSession = 7,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetGraphOptimizationLevel = 23,
  kSetIntraOpNumThreads = 24,
  kSetInterOpNumThreads = 25,
  kCreateTensorWithData = 49,
  kGetTensorMutableData = 51,
  kCreateCpuMemoryInfo = 69,
  kReleaseEnv = 92,
  kReleaseStatus = 93,
  kReleaseMemoryInfo = 94,
  kReleaseSession = 95,
  kReleaseValue = 96,
  kReleaseSessionOptions = 100,
};
struct Base {
  void* const* (*get_api)(uint32_t version);
  const char* (*get_version)();
};
constexpr uint32_t kApiVersion = 1;
constexpr int kWarning = 2, kAllOptimizations = 99, kFloat = 1, kUint8 = 2, kArenaAllocator = 1, kDefaultMemory = 0;

using OrtStatus = void;  // nullptr: fine

class Session final : public OnnxSession {
 public:
  Session(void* const* api, std::string version) : api_(api), version_(std::move(version)) {}
  ~Session() override {
    for (void* value : {input_, output_}) Release(kReleaseValue, value);
    Release(kReleaseSession, session_);
    Release(kReleaseSessionOptions, options_);
    Release(kReleaseMemoryInfo, memory_);
    Release(kReleaseEnv, env_);
  }

  Status Prepare(const std::string& model, OnnxInput type, const std::vector<int64_t>& shape,
                 int batch, int threads) {
    BRAID_RETURN_IF_ERROR((Call<int, const char*, void**>(kCreateEnv, kWarning, "braid", &env_)));
    BRAID_RETURN_IF_ERROR((Call<void**>(kCreateSessionOptions, &options_)));
    BRAID_RETURN_IF_ERROR((Call<void*, int>(kSetIntraOpNumThreads, options_, threads)));
    BRAID_RETURN_IF_ERROR((Call<void*, int>(kSetInterOpNumThreads, options_, 1)));
    BRAID_RETURN_IF_ERROR((Call<void*, int>(kSetGraphOptimizationLevel, options_, kAllOptimizations)));
    BRAID_RETURN_IF_ERROR((Call<const void*, const char*, const void*, void**>(
        kCreateSession, env_, model.c_str(), options_, &session_)));
    BRAID_RETURN_IF_ERROR((Call<int, int, void**>(kCreateCpuMemoryInfo, kArenaAllocator, kDefaultMemory, &memory_)));
    std::vector<int64_t> dimensions = {batch};
    dimensions.insert(dimensions.end(), shape.begin(), shape.end());
    size_t elements = 1;
    for (const int64_t d : dimensions) elements *= static_cast<size_t>(d);
    Rng rng(1);
    const bool floats = type == OnnxInput::kFloat32;
    data_.resize(elements * (floats ? sizeof(float) : 1));
    for (size_t i = 0; i < elements; ++i) {
      const double value = rng.Uniform();
      if (floats) {
        const auto centred = static_cast<float>(value - 0.5);
        std::memcpy(data_.data() + i * sizeof(float), &centred, sizeof(float));
      } else {
        data_[i] = static_cast<std::byte>(value * 256);
      }
    }
    return Call<const void*, void*, size_t, const int64_t*, size_t, int, void**>(
        kCreateTensorWithData, memory_, data_.data(), data_.size(), dimensions.data(),
        dimensions.size(), floats ? kFloat : kUint8, &input_);
  }

  std::span<std::byte> input() override { return data_; }

  Status Run() override {
    const char* const input_name = "input";
    const char* const output_name = "logits";
    const void* const input = input_;
    // The output's memory is allocated by the first run and used again by the others.
    return Call<void*, const void*, const char* const*, const void* const*, size_t,
                const char* const*, size_t, void**>(kRun, session_, nullptr, &input_name, &input,
                                                    1, &output_name, 1, &output_);
  }
  Result<const float*> logits() override {
    void* values = nullptr;
    BRAID_RETURN_IF_ERROR((Call<void*, void**>(kGetTensorMutableData, output_, &values)));
    return static_cast<const float*>(values);
  }
  std::string version() const override { return version_; }

 private:
  template <typename... Parameters>
  Status Call(Place place, Parameters... parameters) {
    const auto function = reinterpret_cast<OrtStatus* (*)(Parameters...)>(api_[place]);
    OrtStatus* status = function(parameters...);
    if (status == nullptr) return OkStatus();
    const auto message = reinterpret_cast<const char* (*)(const OrtStatus*)>(api_[kGetErrorMessage]);
    Status error = Internal(std::string("ONNX Runtime: ") + message(status));
    Release(kReleaseStatus, status);
    return error;
  }
  void Release(Place place, void* object) {
    if (object != nullptr) reinterpret_cast<void (*)(void*)>(api_[place])(object);
  }

  void* const* api_;
  const std::string version_;
  void *env_ = nullptr, *options_ = nullptr, *session_ = nullptr, *memory_ = nullptr;
  void *input_ = nullptr, *output_ = nullptr;
  std::vector<std::byte> data_;
};

}  // namespace

Result<std::unique_ptr<OnnxSession>> OnnxSession::Open(const std::string& library,
                                                       const std::string& model, OnnxInput type,
                                                       const std::vector<int64_t>& shape,
                                                       int batch, int threads) {
  // Stays loaded: its threads may outlive a session.
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return FailedPrecondition(std::string(dlerror()));
  const auto get_base = reinterpret_cast<const Base* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr) return FailedPrecondition(library + ": no ONNX Runtime");
  const Base* base = get_base();
  void* const* api = base->get_api(kApiVersion);
  if (api == nullptr) return FailedPrecondition(library + ": no interface of version 1");
  auto session = std::make_unique<Session>(api, base->get_version());
  BRAID_RETURN_IF_ERROR(session->Prepare(model, type, shape, batch, threads));
  return std::unique_ptr<OnnxSession>(std::move(session));
}

}  // namespace braid
