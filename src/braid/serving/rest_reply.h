// Answers over REST: an inference's as JSON or with binary tensors, and what the doors say about
// the server and its models as JSON. Layer: serving. Pure.
#pragma once

#include "braid/protocol/open_inference.pb.h"
#include "braid/serving/http_message.h"
#include "braid/serving/request.h"
#include "braid/serving/rest_request.h"
#include "braid/serving/served_model.h"

namespace braid::serving {

HttpResponse InferReply(const Answer& answer, const ReplyForm& form, const BinaryWish& binary,
                        const ServedModel& model);

HttpResponse JsonReply(const inference::ServerMetadataResponse& metadata);
HttpResponse JsonReply(const inference::ModelMetadataResponse& metadata);
HttpResponse JsonReply(const inference::ModelConfig& config);
HttpResponse JsonReply(const inference::ModelStatisticsResponse& statistics);
HttpResponse JsonReply(const inference::RepositoryIndexResponse& index);

}  // namespace braid::serving
