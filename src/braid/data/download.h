// Fetches a published file and keeps it only when its digest is right. Layer: data.
#pragma once

#include <cstdint>
#include <string>

#include "braid/base/status.h"
#include "braid/data/catalog.h"

namespace braid::data {

// Tries the file's addresses in turn and puts the first download with the right SHA-256 at
// `folder`/`file.name` (made when missing), whole or not at all. Safe beside another process that
// does the same. UNAVAILABLE with the reason of each address when none serves it.
Status Download(const PublishedFile& file, const std::string& folder);

}  // namespace braid::data
