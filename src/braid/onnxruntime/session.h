// ONNX Runtime, loaded when asked for: nothing of it is needed to build. For benchmarks only.
// Layer: onnxruntime, above base.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid {

enum class OnnxInput : uint8_t { kFloat32, kUint8 };

// One model with fixed input, ready to run. Input "input" [batch, ...], output "logits" float32.
// Not thread-safe.
class OnnxSession {
 public:
  // `library`: path of libonnxruntime.so; `shape`: the input's without the batch.
  // FAILED_PRECONDITION where the library cannot be loaded, INTERNAL with its own message else.
  static Result<std::unique_ptr<OnnxSession>> Open(const std::string& library,
                                                   const std::string& model, OnnxInput type,
                                                   const std::vector<int64_t>& shape, int batch,
                                                   int threads);
  virtual ~OnnxSession() = default;
  // What Run reads, in the order of the shape. Open fills it: random, seeded.
  virtual std::span<std::byte> input() = 0;
  virtual Status Run() = 0;
  // The first logit of the last Run, until the next one; the model knows how many there are.
  virtual Result<const float*> logits() = 0;
  virtual std::string version() const = 0;
};

}  // namespace braid
