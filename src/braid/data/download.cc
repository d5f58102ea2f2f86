#include "braid/data/download.h"

#include <curl/curl.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "braid/base/digest.h"
#include "braid/base/file.h"

namespace braid::data {
namespace {

// No published file of ours is larger than 170 MB.
constexpr size_t kMaxBytes = size_t{1} << 29;
constexpr long kConnectSeconds = 15;
// A transfer below this rate for this long has stalled.
constexpr long kStallBytesPerSecond = 1000;
constexpr long kStallSeconds = 30;
constexpr long kMaxRedirects = 5;

struct HandleDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

size_t Collect(char* data, size_t size, size_t count, void* user) {
  auto& bytes = *static_cast<std::vector<uint8_t>*>(user);
  const size_t added = size * count;
  if (bytes.size() + added > kMaxBytes) return 0;  // curl reports a write error
  const auto* first = reinterpret_cast<const uint8_t*>(data);
  bytes.insert(bytes.end(), first, first + added);
  return added;
}

Result<std::vector<uint8_t>> Get(const std::string& url) {
  // Thread-safe since 7.84 and cheap when repeated; never undone, so other users are not cut off.
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return Internal("libcurl did not start");
  const std::unique_ptr<CURL, HandleDeleter> handle(curl_easy_init());
  if (handle == nullptr) return Internal("libcurl did not start");
  std::vector<uint8_t> bytes;
  char reason[CURL_ERROR_SIZE] = "";
  CURL* curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &bytes);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMaxRedirects);
  // Plain HTTP is as good as HTTPS here: the digest decides. A redirect may not turn to files.
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "braid");
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) {
    return Unavailable(url + ": " + (reason[0] != '\0' ? reason : curl_easy_strerror(code)));
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
