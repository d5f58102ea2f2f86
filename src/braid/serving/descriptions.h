// What the doors say about the server and its models: metadata, configuration, statistics, index,
// as the protocol's messages, so that both doors say the same. Layer: serving.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/protocol/open_inference.pb.h"
#include "braid/serving/catalog.h"

namespace braid::serving {

void FillServerMetadata(const std::string& version, inference::ServerMetadataResponse* response);

// `versions`: those of the model's name.
void FillMetadata(const ServedModel& model, const std::vector<std::string>& versions,
                  inference::ModelMetadataResponse* response);

void FillConfig(const ServedModel& model, inference::ModelConfig* config);

// An empty name: all models; else NOT_FOUND as Catalog::Find; an empty version: all of the name.
Status FillStatistics(const Catalog& catalog, const std::string& name, const std::string& version,
                      inference::ModelStatisticsResponse* response);

// `ready_only`: models that are ready.
void FillIndex(const Catalog& catalog, bool ready_only, inference::RepositoryIndexResponse* index);

// The answer to a load or unload, which strangers may not ask for.
Status RefuseLoading();

}  // namespace braid::serving
