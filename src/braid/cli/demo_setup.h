// What the demo runs on: a committed model and the images it was trained for. Layer: cli.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/cli/data_options.h"
#include "braid/data/dataset.h"
#include "braid/model/file.h"

namespace braid::cli {

struct DemoSetup {
  std::string model_path;
  model::ModelFile model;
  data::Dataset dataset;
  std::string note;  // why it is not MNIST, for people; empty when it is, or was asked for
};

// `model_path` may be empty: then the model for the data is looked for in the folders of
// ModelFolders(). Without a data name: MNIST where it is here or can be fetched and a model for it
// is there, otherwise the generator `digits`. NOT_FOUND lists where it looked.
Result<DemoSetup> ChooseDemoSetup(const std::string& model_path, const DataOptions& data);

// $BRAID_MODELS, models/ of the source tree or installation that this program lies in, ./models.
std::vector<std::string> ModelFolders();

// The points that the demo asks for by name, as indices into Network::points.
// All groups combined through cross weights; where there is none, the most accurate point.
int CombinedPoint(const model::Network& network);
// The most accurate point that a device with `share` runs alone, or -1.
int LocalPoint(const model::Network& network, GroupSet share);

}  // namespace braid::cli
