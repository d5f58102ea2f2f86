// One picture through a model that restores images: what enlarge and restore share. Layer: cli.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/cli/commands.h"
#include "braid/cli/model_options.h"

namespace braid::cli {

struct PictureOptions {
  ModelOptions model;
  std::string picture, out, point;
  int scale = 1;  // the picture is enlarged by interpolation first
  int threads = 0, tile = 0;
  bool json = false;
};

// All but the scale.
void AddPictureOptions(CLI::App& command, PictureOptions& options);

// Reads the picture, writes a PNG and reports.
Status RestorePicture(const PictureOptions& options);

}  // namespace braid::cli
