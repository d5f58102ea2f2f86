// What import and the comparison of schemes share: a lowered, calibrated ONNX file, and how its
// layers are called in reports. Layer: convert, internal.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "braid/convert/calibrate.h"
#include "braid/convert/float_network.h"

namespace braid::convert {

struct CalibratedNetwork {
  FloatNetwork network;
  Calibration calibration;
};

// Errors as ImportOnnx.
Result<CalibratedNetwork> CalibrateOnnx(std::span<const uint8_t> bytes, const Pictures& pictures,
                                        const ImportOptions& options);

const char* OpName(const FloatLayer& layer);
// Names of a file go to terminals: cut, and without what moves a cursor.
std::string ShownName(const FloatLayer& layer);

}  // namespace braid::convert
