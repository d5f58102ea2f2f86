#include "braid/data/download.h"

#include <curl/curl.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "braid/base/digest.h"
#include "braid/base/file.h"
#include "braid/data/shared_library.h"

namespace braid::data {
namespace {

// No published file of ours is larger than 170 MB.
constexpr size_t kMaxBytes = size_t{1} << 29;
constexpr long kConnectSeconds = 15;
// A transfer below this rate for this long has stalled.
constexpr long kStallBytesPerSecond = 1000;
constexpr long kStallSeconds = 30;
constexpr long kMaxRedirects = 5;

// The functions of libcurl that are used here.
struct Curl {
  Curl() : library("libcurl.so.4") {
    library.Find("curl_global_init", global_init);
    library.Find("curl_easy_init", init);
    library.Find("curl_easy_setopt", setopt);
    library.Find("curl_easy_perform", perform);
    library.Find("curl_easy_strerror", strerror);
    library.Find("curl_easy_cleanup", cleanup);
  }
  SharedLibrary library;
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) init;
  decltype(&curl_easy_setopt) setopt;
  decltype(&curl_easy_perform) perform;
  decltype(&curl_easy_strerror) strerror;
  decltype(&curl_easy_cleanup) cleanup;
};

const Curl& TheCurl() {
  static const Curl curl;
  return curl;
}

size_t Collect(char* data, size_t size, size_t count, void* user) {
  auto& bytes = *static_cast<std::vector<uint8_t>*>(user);
  const size_t added = size * count;
  if (bytes.size() + added > kMaxBytes) return 0;  // curl reports a write error
  const auto* first = reinterpret_cast<const uint8_t*>(data);
  bytes.insert(bytes.end(), first, first + added);
  return added;
}

Result<std::vector<uint8_t>> Get(const std::string& url) {
  const Curl& library = TheCurl();
  BRAID_RETURN_IF_ERROR(library.library.status());
  // Thread-safe since 7.84 and cheap when repeated; never undone, so other users are not cut off.
  if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return Internal("libcurl did not start");
  }
  const std::unique_ptr<CURL, decltype(library.cleanup)> handle(library.init(), library.cleanup);
  if (handle == nullptr) return Internal("libcurl did not start");
  std::vector<uint8_t> bytes;
  char reason[CURL_ERROR_SIZE] = "";
  const auto set = [&](CURLoption option, auto value) {
    library.setopt(handle.get(), option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_ERRORBUFFER, &reason[0]);
  set(CURLOPT_WRITEFUNCTION, &Collect);
  set(CURLOPT_WRITEDATA, &bytes);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, kMaxRedirects);
  // Plain HTTP is as good as HTTPS here: the digest decides. A redirect may not turn to files.
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, "http,https,file");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
  set(CURLOPT_PROTOCOLS, long{CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE});
  set(CURLOPT_REDIR_PROTOCOLS, long{CURLPROTO_HTTP | CURLPROTO_HTTPS});
#endif
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  set(CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  set(CURLOPT_USERAGENT, "braid");
  const CURLcode code = library.perform(handle.get());
  if (code != CURLE_OK) {
    return Unavailable(url + ": " + (reason[0] != '\0' ? reason : library.strerror(code)));
  }
  return bytes;
}

}  // namespace

Status Download(const PublishedFile& file, const std::string& folder) {
  std::string reasons;
  for (const std::string& url : file.urls) {
    Result<std::vector<uint8_t>> bytes = Get(url);
    if (!bytes.ok()) {
      reasons += "; " + bytes.status().message();
      continue;
    }
    const std::string digest = ToHex(Sha256(*bytes));
    if (digest != file.digests.front()) {
      reasons += "; " + url + ": " + std::to_string(bytes->size()) + " bytes with SHA-256 " +
                 digest + ", expected " + file.digests.front();
      continue;
    }
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return Internal(folder + ": cannot make the folder: " + error.message());
    return WriteFileAtomically(folder + "/" + file.name, *bytes);
  }
  if (file.urls.empty()) reasons = "; it is published nowhere";
  return Unavailable(file.name + ": cannot be downloaded" + reasons);
}

}  // namespace braid::data
