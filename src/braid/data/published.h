// Published data sets, found in folders or downloaded. Layer: data.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/data/catalog.h"
#include "braid/data/dataset.h"

namespace braid::data {

// Loads `split` of an entry that is not generated; the errors are those of Load (dataset.h).
Result<Dataset> LoadPublished(const CatalogEntry& entry, const std::string& split,
                              const LoadOptions& options);

}  // namespace braid::data
