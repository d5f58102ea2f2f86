// The generated classes of ONNX's schema. Layer: convert, internal: not for public headers.
#pragma once

#include <onnx/onnx_pb.h>
