// ONNX Runtime, loaded when asked for: nothing of it is needed to build. Layer: bench.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::bench {

// One model with fixed input, ready to run. Input "input" float32 [batch, ...], output "logits".
class OnnxSession {
 public:
  // `library`: path of libonnxruntime.so. `elements`: of one image; `shape` without the batch.
  // FAILED_PRECONDITION where the library cannot be loaded, INTERNAL with its own message else.
  static Result<std::unique_ptr<OnnxSession>> Open(const std::string& library,
                                                   const std::string& model,
                                                   const std::vector<int64_t>& shape, int batch,
                                                   int threads);
  virtual ~OnnxSession() = default;
  virtual Status Run() = 0;  // on the input that was filled in by Open (random, seeded)
  virtual std::string version() const = 0;
};

}  // namespace braid::bench
