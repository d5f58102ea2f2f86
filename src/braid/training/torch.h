// The one door to libtorch: every file of braid-train that needs it includes this, which is also
// the precompiled header (libtorch's own header takes 20 s to compile). Layer: training.
#pragma once

#include <torch/torch.h>
