// Any bytes as a token file: samples whose tokens are all of the vocabulary, or an Error of kind file.
#include "io/dataset/token_file.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "motley/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  try {
    motley::ByteStream in(motley::ByteSource::from_bytes({bytes.begin(), bytes.end()}, "input"));
    motley::SampleCollector collector(std::filesystem::temp_directory_path());
    const auto head = motley::read_token_file(in, 300, collector);
    const motley::SampleData samples = collector.finish();
    for (int32_t id : samples.all_ids())
      if (id < 0 || id >= 300) std::abort();
    if (head.labels.size() != static_cast<size_t>(samples.size() * head.label_width)) std::abort();
    for (size_t i = 0; i + 1 < samples.begins.size(); ++i)
      if (samples.begins[i] >= samples.begins[i + 1]) std::abort();
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}
