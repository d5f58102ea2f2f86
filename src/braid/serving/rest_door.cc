#include "braid/serving/rest_door.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "braid/serving/descriptions.h"
#include "braid/serving/request.h"
#include "braid/serving/rest_reply.h"
#include "braid/serving/rest_request.h"
#include "braid/serving/rest_status.h"

namespace braid::serving {
namespace {

using Exchange = std::shared_ptr<HttpExchange>;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The path's parts, decoded: "/v2/models/a%20b" gives v2, models, "a b"; a slash at the end counts
// for nothing. Nothing for a path that is none.
std::optional<std::vector<std::string>> SplitPath(std::string_view target) {
  if (target.empty() || target.front() != '/') return std::nullopt;
  target = target.substr(0, target.find_first_of("?#"));
  std::vector<std::string> parts;
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i] == '/') {
      if (i + 1 < target.size()) parts.emplace_back();
      continue;
    }
    char c = target[i];
    if (c == '%') {
      if (i + 2 >= target.size()) return std::nullopt;
      const int high = HexDigit(target[i + 1]), low = HexDigit(target[i + 2]);
      if (high < 0 || low < 0 || high * 16 + low == 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    parts.back() += c;
  }
  return parts;
}

// The largest body that any model can use: a whole batch in JSON, where a pixel takes four bytes,
// and room for the rest.
size_t MaxBodyBytes(const Catalog& catalog) {
  constexpr size_t kRoom = 64 << 10;
  size_t most = 0;
  for (const Catalog::ModelPtr& model : catalog.Models()) {
    const model::Network& network = model->network();
    most = std::max(most, static_cast<size_t>(model->max_batch()) *
                              static_cast<size_t>(network.input_h) *
                              static_cast<size_t>(network.input_w) *
                              static_cast<size_t>(network.input_c));
  }
  return 4 * most + kRoom;
}

HttpResponse Health(std::string_view name, bool good) {
  HttpResponse response;
  response.status = good ? 200 : 503;
  if (!good) response.headers.emplace_back("Retry-After", "1");
  response.body = "{\"" + std::string(name) + (good ? "\":true}" : "\":false}");
  return response;
}

}  // namespace

class RestDoor::Router {
 public:
  Router(Catalog* catalog, Access* access, std::string version)
      : catalog_(catalog), access_(access), version_(std::move(version)) {}

  void Handle(const HttpRequest& request, Exchange exchange) {
    try {
      std::optional<HttpResponse> response = Route(request, exchange);
      if (response) exchange->Reply(std::move(*response));
    } catch (const std::bad_alloc&) {
      exchange->Reply(ErrorResponse(ResourceExhausted("out of memory")));
    } catch (const std::exception& error) {
      exchange->Reply(ErrorResponse(Internal(error.what())));
    }
  }

 private:
  using Parts = std::vector<std::string>;

  // The answer, or nothing when it comes later.
  std::optional<HttpResponse> Route(const HttpRequest& request, const Exchange& exchange) {
    const std::optional<Parts> path = SplitPath(request.target);
    if (!path) return ErrorResponse(400, "the path is not well-formed");
    const Parts& parts = *path;
    const auto is = [&parts](size_t i, std::string_view text) {
      return i < parts.size() && parts[i] == text;
    };
    if (!is(0, "v2")) return NoSuchPath(request);
    // Probes have no token.
    if (parts.size() == 3 && is(1, "health") && is(2, "live")) {
      return Get(request, [] { return Health("live", true); });
    }
    if (parts.size() == 3 && is(1, "health") && is(2, "ready")) {
      return Get(request, [this] { return Health("ready", catalog_->ready()); });
    }
    if (const Status allowed = access_->Check(request.authorization); !allowed.ok()) {
      return ErrorResponse(allowed);
    }
    if (parts.size() == 1) {
      return Get(request, [this] {
        inference::ServerMetadataResponse metadata;
        FillServerMetadata(version_, &metadata);
        return JsonReply(metadata);
      });
    }
    if (is(1, "models")) return RouteModels(request, parts, exchange);
    if (is(1, "repository")) return RouteRepository(request, parts);
    return NoSuchPath(request);
  }

  std::optional<HttpResponse> RouteModels(const HttpRequest& request, const Parts& parts,
                                          const Exchange& exchange) {
    if (parts.size() == 2) return Get(request, [this] { return ListModels(); });
    if (parts.size() == 3 && parts[2] == "stats") {
      return Get(request, [this] { return Statistics("", ""); });
    }
    const std::string& name = parts[2];
    if (name.empty()) return ErrorResponse(NotFound("model \"\": the name is empty"));
    std::string version;
    size_t next = 3;
    if (parts.size() > 4 && parts[3] == "versions") {
      version = parts[4];
      next = 5;
    } else if (parts.size() == 4 && parts[3] == "versions") {
      return NoSuchPath(request);
    }
    if (parts.size() > next + 1) return NoSuchPath(request);
    const std::string verb = parts.size() == next ? "" : parts[next];
    if (verb == "infer") return Infer(request, name, version, exchange);
    if (verb == "stats") return Get(request, [&] { return Statistics(name, version); });
    if (!verb.empty() && verb != "ready" && verb != "config") return NoSuchPath(request);
    return Get(request, [&]() -> HttpResponse {
      const auto model = catalog_->Find(name, version);
      if (!model.ok()) return ErrorResponse(model.status());
      if (verb == "ready") return ModelReady(**model);
      if (verb == "config") {
        inference::ModelConfig config;
        FillConfig(**model, &config);
        return JsonReply(config);
      }
      inference::ModelMetadataResponse metadata;
      FillMetadata(**model, catalog_->Versions((*model)->name()), &metadata);
      return JsonReply(metadata);
    });
  }

  HttpResponse ModelReady(const ServedModel& model) const {
    const bool ready = model.ready() && !catalog_->draining();
    HttpResponse response;
    response.status = ready ? 200 : 503;
    if (!ready) response.headers.emplace_back("Retry-After", "1");
    response.body = "{\"name\":";
    AppendJsonString(model.name(), &response.body);
    response.body += ready ? ",\"ready\":true}" : ",\"ready\":false}";
    return response;
  }

  HttpResponse ListModels() const {
    HttpResponse response;
    response.body = "{\"models\":[";
    for (const std::string& name : catalog_->Names()) {
      if (response.body.back() != '[') response.body += ',';
      AppendJsonString(name, &response.body);
    }
    response.body += "]}";
    return response;
  }

  HttpResponse Statistics(const std::string& name, const std::string& version) const {
    inference::ModelStatisticsResponse statistics;
    const Status status = FillStatistics(*catalog_, name, version, &statistics);
    return status.ok() ? JsonReply(statistics) : ErrorResponse(status);
  }

  HttpResponse RouteRepository(const HttpRequest& request, const Parts& parts) const {
    const bool index = parts.size() == 3 && parts[2] == "index";
    const bool load = parts.size() == 5 && parts[2] == "models" &&
                      (parts[4] == "load" || parts[4] == "unload");
    if (!index && !load) return NoSuchPath(request);
    if (request.method != HttpMethod::kPost) return WrongMethod("POST");
    if (load) return ErrorResponse(RefuseLoading());
    bool ready_only = false;
    if (!request.body.empty()) {
      // As deep as the reader of requests allows; the index has no depth of its own.
      int depth = 0;
      const auto shallow = [&depth](int at, nlohmann::json::parse_event_t, nlohmann::json&) {
        depth = std::max(depth, at);
        return at < 8;
      };
      const auto json = nlohmann::json::parse(request.body, shallow, false);
      if (!json.is_object()) {
        return ErrorResponse(InvalidArgument("the request must be a JSON object"));
      }
      if (const auto ready = json.find("ready"); ready != json.end()) {
        if (!ready->is_boolean()) {
          return ErrorResponse(InvalidArgument("ready: must be true or false"));
        }
        ready_only = ready->get<bool>();
      }
    }
    inference::RepositoryIndexResponse models;
    FillIndex(*catalog_, ready_only, &models);
    return JsonReply(models);
  }

  // Nothing when the answer comes later.
  std::optional<HttpResponse> Infer(const HttpRequest& request, const std::string& name,
                                    const std::string& version, const Exchange& exchange) {
    if (request.method != HttpMethod::kPost) return WrongMethod("POST");
    const auto found = catalog_->Find(name, version);
    if (!found.ok()) return ErrorResponse(found.status());
    const Catalog::ModelPtr& model = *found;
    Status status;
    BinaryWish binary;
    std::optional<ParsedRequest> parsed;
    if (!request.content_encoding.empty() && request.content_encoding != "identity") {
      status = InvalidArgument("Content-Encoding: only identity is supported");
    } else {
      status = Parse(request, *model, &binary, &parsed);
    }
    if (!status.ok()) {
      model->statistics().AddFailure(status.code(), Duration{}, false);
      return ErrorResponse(status);
    }
    ReplyForm form = std::move(parsed->form);
    Job job = MakeJob(std::move(*parsed), request.arrived);
    job.done = [model, exchange, form = std::move(form),
                binary = std::move(binary)](const Result<Answer>& answer) {
      if (!answer.ok()) {
        exchange->Reply(ErrorResponse(answer.status(), model->dispatcher().ExpectedWait()));
        return;
      }
      try {
        const TimePoint begun = std::chrono::steady_clock::now();
        HttpResponse response = InferReply(*answer, form, binary, *model);
        model->statistics().AddOutput(std::chrono::steady_clock::now() - begun);
        exchange->Reply(std::move(response));
      } catch (const std::exception& error) {
        exchange->Reply(ErrorResponse(Internal(error.what())));
      }
    };
    const Dispatcher::Ticket ticket = model->dispatcher().Submit(std::move(job));
    exchange->OnGone([model, ticket] { model->dispatcher().Cancel(ticket); });
    return std::nullopt;
  }

  static Status Parse(const HttpRequest& request, const ServedModel& model, BinaryWish* binary,
                      std::optional<ParsedRequest>* parsed) {
    const model::Network& network = model.network();
    BRAID_ASSIGN_OR_RETURN(
        RestRequest rest,
        ReadRestRequest(request.body, request.inference_header_length,
                        {network.input_h, network.input_w, network.input_c}));
    BRAID_ASSIGN_OR_RETURN(
        *parsed, ParseRequest(rest.message, network, model.max_batch(), std::nullopt));
    *binary = std::move(rest.binary);
    return OkStatus();
  }

  template <typename Make>
  static HttpResponse Get(const HttpRequest& request, Make make) {
    if (request.method != HttpMethod::kGet && request.method != HttpMethod::kHead) {
      return WrongMethod("GET, HEAD");
    }
    return make();
  }

  static HttpResponse WrongMethod(std::string_view allowed) {
    HttpResponse response = ErrorResponse(405, "method not allowed here");
    response.headers.emplace_back("Allow", std::string(allowed));
    return response;
  }

  static HttpResponse NoSuchPath(const HttpRequest& request) {
    return ErrorResponse(404, "no such path: " + std::string(request.target.substr(0, 256)));
  }

  Catalog* const catalog_;
  Access* const access_;
  const std::string version_;
};

RestDoor::RestDoor(std::shared_ptr<Router> router) : router_(std::move(router)) {}
RestDoor::~RestDoor() = default;

Result<std::unique_ptr<RestDoor>> RestDoor::Open(EventLoop* loop, Catalog* catalog,
                                                 Access* access, RestDoorOptions options) {
  BRAID_RETURN_IF_ERROR(CheckExposure("REST", options.http.address, options.http.tls,
                                      !access->open(), options.allow_any_address));
  if (options.http.limits.body_bytes == 0) options.http.limits.body_bytes = MaxBodyBytes(*catalog);
  auto router = std::make_shared<Router>(catalog, access, options.version);
  std::unique_ptr<RestDoor> door(new RestDoor(router));
  BRAID_ASSIGN_OR_RETURN(
      door->server_,
      HttpServer::Open(loop, std::move(options.http),
                       [router](const HttpRequest& request, Exchange exchange) {
                         router->Handle(request, std::move(exchange));
                       }));
  return door;
}

}  // namespace braid::serving
