// What the tests of this folder share: streams from memory, packing, a tokenizer whose tokens are bytes, samples put together by hand.
#pragma once
#include <zlib.h>
#include <zstd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/byte_stream.h"
#include "io/dataset/samples.h"
#include "io/io_test_support.h"
#include "io/tokenizer/train_bpe.h"

namespace motley::test {

inline ByteStream stream_of(std::string_view bytes) { return ByteStream(ByteSource::from_bytes(as_vector(bytes), "input")); }

inline std::string gzip(std::string_view text) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + 32, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

inline std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

// 0 <|endoftext|>, 1 <|im_start|>, 2 <|im_end|>, then the 256 bytes.
inline std::shared_ptr<const Tokenizer> byte_tokenizer() {
  return train_bpe(WordCounts(), {.vocabulary = 259, .special = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}});
}

// Samples with these ids, marks and labels.
struct Made {
  std::vector<std::vector<int32_t>> ids;
  std::vector<std::vector<uint8_t>> scored = {};
  std::vector<float> labels = {};
  int64_t label_width = 0;
};
inline Samples make_samples(const Made& made) {
  SampleCollector collector(std::filesystem::temp_directory_path());
  for (const auto& ids : made.ids) collector.append_ids(ids, true);
  for (const auto& marks : made.scored) collector.append_marks(marks);
  SampleData data = collector.finish();
  data.labels = made.labels;
  data.label_width = made.label_width;
  return Samples(std::move(data));
}

}  // namespace motley::test
