#include "train/event_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "event.pb.h"

namespace motley {
namespace {

constexpr int32_t kSessionStart = 1;

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0x82F63B78u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

// The second that names the next file of a folder. TensorBoard reads files in the order of their names, so one that goes on within the second in
// which another began is of the next.
int64_t name_of_next(const std::string& folder) {
  constexpr std::string_view kBegin = "events.out.tfevents.";
  auto second = static_cast<int64_t>(now());
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kBegin)) continue;
    const size_t end = std::min(name.find('.', kBegin.size()), name.size());
    if (auto other = parse_int(std::string_view(name).substr(kBegin.size(), end - kBegin.size())); other && *other < INT64_MAX)
      second = std::max(second, *other + 1);
  }
  return second;
}

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u; }

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = make_table();
  uint32_t c = ~uint32_t{0};
  for (char byte : bytes) c = kTable[(c ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (c >> 8);
  return ~c;
}

EventFile::EventFile(const std::string& folder, int64_t from_step) {
  char host[256] = "localhost";
  ::gethostname(host, sizeof host - 1);
  path_ = fmt::format("{}/events.out.tfevents.{}.{}.{}.{}", folder, name_of_next(folder), host, ::getpid(), from_step);
  file_ = std::fopen(path_.c_str(), "w");
  if (!file_) fail(ErrorKind::runtime, "train", "cannot write {}", path_);
  events::Event version;
  version.set_wall_time(now());
  version.set_file_version("brain.Event:2");
  write(version.SerializeAsString());
  if (from_step == 0) return;
  events::Event start;
  start.set_wall_time(now());
  start.set_step(from_step + 1);
  start.mutable_session_log()->set_status(kSessionStart);
  write(start.SerializeAsString());
}

EventFile::~EventFile() { std::fclose(file_); }

void EventFile::add(int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  events::Event event;
  event.set_wall_time(now());
  event.set_step(step);
  for (const auto& [tag, value] : scalars) {
    events::Value* v = event.mutable_summary()->add_value();
    v->set_tag(tag);
    v->set_simple_value(static_cast<float>(value));
  }
  write(event.SerializeAsString());
}

void EventFile::write(const std::string& message) {
  auto bytes = [](const auto& x) { return std::string_view(reinterpret_cast<const char*>(&x), sizeof x); };
  const uint64_t length = message.size();
  const uint32_t length_check = masked(crc32c(bytes(length))), check = masked(crc32c(message));
  std::string record;
  record.append(bytes(length)).append(bytes(length_check)).append(message).append(bytes(check));
  if (std::fwrite(record.data(), 1, record.size(), file_) != record.size() || std::fflush(file_) != 0)
    fail(ErrorKind::runtime, "train", "cannot write {}; is the disk full?", path_);
}

}  // namespace motley
