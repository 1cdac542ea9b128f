// A file of TensorBoard events: scalars by tag and step. Each run, and each resumption of one, writes a file of its own; one that goes on
// from a step tells TensorBoard to forget what an interrupted run had logged after it.
//
//   EventFile events("runs/a", 100);
//   events.add(101, {{"loss", 3.2}});
//
// A record is its length, a checksum of that, an Event message (event.proto) and a checksum of that; checksums are CRC-32C, turned by 15 bits
// and shifted by a constant.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace motley {

class EventFile {
 public:
  EventFile(const std::string& folder, int64_t from_step);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void add(int64_t step, const std::vector<std::pair<std::string, double>>& scalars);

 private:
  void write(const std::string& message);
  std::FILE* file_ = nullptr;
  std::string path_;
};

uint32_t crc32c(std::string_view bytes);  // Castagnoli, as in RFC 3720

}  // namespace motley
