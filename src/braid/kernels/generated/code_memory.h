// Executable memory that is never writable and executable at once. Layer: kernels.
#pragma once

#include <asmjit/core.h>

#include <cstddef>
#include <span>

#include "braid/base/status.h"

namespace braid::kernels::generated {

// Copies finished code into pages of its own: mapped writable, filled, then turned read-execute
// for the rest of the process (kernels are few and live in the cache). The entry is the first byte.
// RESOURCE_EXHAUSTED when the system gives no such pages.
Result<std::span<const std::byte>> InstallCode(asmjit::CodeHolder& code);

}  // namespace braid::kernels::generated
