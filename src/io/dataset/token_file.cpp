#include "io/dataset/token_file.h"

#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>

#include "base/check.h"
#include "base/checked.h"
#include "base/content_hash.h"
#include "base/error.h"
#include "base/file.h"
#include "io/json.h"

namespace motley {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are little-endian");

constexpr std::string_view kMagic = "MTLYTOK1";
constexpr uint32_t kScored = 1;
constexpr uint32_t kMostWords = 16 << 20;  // bytes of the JSON part
constexpr uint64_t kMostWidth = 10'000;
constexpr size_t kChunk = 1 << 16;  // elements read or written at once
constexpr int kLevel = 3;

// The numbers behind the magic, in this order and without gaps.
struct Fixed {
  uint64_t hash = 0;
  uint32_t token_bytes = 0, flags = 0, label_width = 0, words_bytes = 0;
  uint64_t samples = 0, tokens = 0;
};
static_assert(sizeof(Fixed) == 40 && std::is_trivially_copyable_v<Fixed>);

// Packs what it is given into an AtomicFile.
class Writer {
 public:
  explicit Writer(const std::string& path) : file_(path), context_(ZSTD_createCCtx(), ZSTD_freeCCtx), out_(ZSTD_CStreamOutSize()) {
    check(context_ && !ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel)), "zstd starts");
  }

  void put(std::string_view bytes) {
    hash_.add(bytes);
    pack(bytes, ZSTD_e_continue);
  }
  template <class T>
  void put_all(std::span<const T> values) {
    put({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  void commit() {
    const uint64_t hash = hash_.value();
    pack({reinterpret_cast<const char*>(&hash), sizeof hash}, ZSTD_e_end);
    file_.commit();
  }

 private:
  void pack(std::string_view bytes, ZSTD_EndDirective how) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (size_t left = 1; left > 0;) {
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      left = ZSTD_compressStream2(context_.get(), &out, &in, how);
      check(!ZSTD_isError(left), "zstd packs");
      file_.write(std::string_view(out_.data(), out.pos));
      if (how == ZSTD_e_continue) left = in.size - in.pos;
    }
  }

  AtomicFile file_;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
  std::vector<char> out_;
  ContentHash hash_;
};

class Reader {
 public:
  explicit Reader(ByteStream& in) : in_(in) {}

  void get(char* to, size_t n) {
    const char* begin = to;
    const size_t wanted = n;
    while (n > 0) {
      const std::string_view ahead = in_.ahead().substr(0, n);
      if (ahead.empty()) fail(ErrorKind::file, "data", "{} ends within its tokens; was the copy cut short?", in_.path());
      std::copy(ahead.begin(), ahead.end(), to);
      to += ahead.size();
      n -= ahead.size();
      in_.skip(ahead.size());
    }
    hash_.add({begin, wanted});
  }

  // Calls use(chunk) until count values were read; nothing is allocated that was not read.
  template <class T, class Use>
  void each_chunk(uint64_t count, Use&& use) {
    std::vector<T> chunk;
    for (uint64_t left = count; left > 0; left -= chunk.size()) {
      chunk.resize(static_cast<size_t>(std::min<uint64_t>(left, kChunk)));
      get(reinterpret_cast<char*>(chunk.data()), chunk.size() * sizeof(T));
      use(std::span<const T>(chunk));
    }
  }

  void expect_hash() {
    const uint64_t hash = hash_.value();
    uint64_t stored = 0;
    get(reinterpret_cast<char*>(&stored), sizeof stored);
    if (stored != hash) refuse("its content is not what was written: the hash differs");
    if (!in_.ahead().empty()) refuse("bytes follow its end");
  }

  [[noreturn]] void refuse(std::string_view why) const { fail(ErrorKind::file, "data", "{} is damaged: {}", in_.path(), why); }

 private:
  ByteStream& in_;
  ContentHash hash_;
};

std::string words_of(const SampleData& data) {
  Json words = {{"description", data.description}, {"classes", data.classes}, {"warnings", data.warnings}};
  return words.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> strings(const Json& words, const char* key, const Reader& in) {
  std::vector<std::string> out;
  auto list = words.find(key);
  if (list == words.end() || !list->is_array()) in.refuse("its description is incomplete");
  for (const Json& s : *list) {
    if (!s.is_string()) in.refuse("its description is incomplete");
    out.push_back(s.get<std::string>());
  }
  return out;
}

Fixed read_fixed(Reader& in) {
  char magic[kMagic.size()];
  in.get(magic, sizeof magic);
  if (std::string_view(magic, sizeof magic) != kMagic) in.refuse("it does not begin as a token file does");
  Fixed f;
  in.get(reinterpret_cast<char*>(&f), sizeof f);
  if (f.token_bytes != 2 && f.token_bytes != 4) in.refuse("its tokens have neither 2 nor 4 bytes");
  if ((f.flags & ~kScored) != 0) in.refuse("it has parts that this version does not know; it may be from a later one");
  if (f.words_bytes > kMostWords || f.label_width > kMostWidth) in.refuse("its description is larger than any that is written");
  if (f.samples > f.tokens || !checked_mul<uint64_t>(f.samples, std::max<uint64_t>(f.label_width, 1)) || f.tokens > uint64_t{1} << 48)
    in.refuse("its numbers of samples and tokens do not fit each other");
  return f;
}

template <class T>
void read_tokens(Reader& in, uint64_t count, int32_t vocab_size, std::vector<int32_t>& chunk, const std::function<void()>& use) {
  in.each_chunk<T>(count, [&](std::span<const T> ids) {
    chunk.assign(ids.begin(), ids.end());
    for (int32_t id : chunk)
      if (id < 0 || id >= vocab_size)
        in.refuse(
            fmt::format("it has token {}, but the vocabulary ends at {}; was it made with another tokenizer?", static_cast<T>(id), vocab_size - 1));
    use();
  });
}

}  // namespace

bool is_token_file(std::string_view beginning) { return beginning.starts_with(kMagic); }

void write_token_file(const std::string& path, const SampleData& data, int32_t vocab_size) {
  Writer out(path);
  const std::string words = words_of(data);
  const auto ids = data.all_ids();
  Fixed f;
  f.hash = data.hash;
  f.token_bytes = vocab_size <= 1 << 16 ? 2 : 4;
  f.flags = data.scored ? kScored : 0;
  f.label_width = static_cast<uint32_t>(data.label_width);
  f.words_bytes = static_cast<uint32_t>(words.size());
  f.samples = static_cast<uint64_t>(data.size());
  f.tokens = ids.size();
  out.put(kMagic);
  out.put({reinterpret_cast<const char*>(&f), sizeof f});
  out.put(words);
  std::vector<uint32_t> lengths;
  for (int64_t i = 0; i < data.size(); ++i) {
    const uint64_t length = data.begins[static_cast<size_t>(i) + 1] - data.begins[static_cast<size_t>(i)];
    if (length > UINT32_MAX) fail(ErrorKind::runtime, "data", "{}: a sample of {} tokens is longer than the format holds", path, length);
    lengths.push_back(static_cast<uint32_t>(length));
  }
  out.put_all(std::span<const uint32_t>(lengths));
  out.put_all(std::span<const float>(data.labels));
  if (f.token_bytes == 4) {
    out.put_all(ids);
  } else {
    std::vector<uint16_t> narrow;
    for (size_t at = 0; at < ids.size(); at += kChunk) {
      const auto chunk = ids.subspan(at, std::min(kChunk, ids.size() - at));
      narrow.assign(chunk.begin(), chunk.end());
      out.put_all(std::span<const uint16_t>(narrow));
    }
  }
  out.put_all(data.all_scored());
  out.commit();
}

TokenFileHead read_token_file(ByteStream& stream, int32_t vocab_size, SampleCollector& collector) {
  Reader in(stream);
  const Fixed f = read_fixed(in);
  TokenFileHead head;
  head.hash = f.hash;
  head.label_width = f.label_width;
  std::string words;
  in.each_chunk<char>(f.words_bytes, [&](std::span<const char> chunk) { words.append(chunk.begin(), chunk.end()); });
  const Json json = parse_json(words, stream.path(), {.max_values = 1'000'000});
  head.description = json.is_object() ? json_string(json, "description", stream.path()) : "";
  head.classes = strings(json, "classes", in);
  head.warnings = strings(json, "warnings", in);
  std::vector<uint32_t> lengths;
  uint64_t sum = 0;
  in.each_chunk<uint32_t>(f.samples, [&](std::span<const uint32_t> chunk) {
    lengths.insert(lengths.end(), chunk.begin(), chunk.end());
    for (uint32_t n : chunk) {
      if (n == 0) in.refuse("a sample has no tokens");
      sum += n;  // 2^48 samples of 2^32 tokens would not wrap, and there are fewer
    }
    if (sum > f.tokens) in.refuse("its samples have more tokens than there are");
  });
  if (sum != f.tokens) in.refuse("its samples have fewer tokens than there are");
  in.each_chunk<float>(f.samples * f.label_width, [&](std::span<const float> chunk) {
    if (!std::ranges::all_of(chunk, [](float v) { return std::isfinite(v); })) in.refuse("a label is no number");
    head.labels.insert(head.labels.end(), chunk.begin(), chunk.end());
  });
  // Marks lie behind the tokens, so both are read before a sample is whole.
  std::vector<int32_t> chunk;
  size_t sample = 0;
  uint64_t done = 0;
  auto use = [&] {
    for (size_t at = 0; at < chunk.size();) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(lengths[sample] - done, chunk.size() - at));
      done += n;
      const bool ends = done == lengths[sample];
      collector.append_ids(std::span(chunk).subspan(at, n), ends);
      if (ends) ++sample, done = 0;
      at += n;
    }
  };
  if (f.token_bytes == 2) {
    read_tokens<uint16_t>(in, f.tokens, vocab_size, chunk, use);
  } else {
    read_tokens<uint32_t>(in, f.tokens, vocab_size, chunk, use);
  }
  if (f.flags & kScored)
    in.each_chunk<uint8_t>(f.tokens, [&](std::span<const uint8_t> marks) {
      if (!std::ranges::all_of(marks, [](uint8_t v) { return v <= 1; })) in.refuse("a mark is neither 0 nor 1");
      collector.append_marks(marks);
    });
  in.expect_hash();
  return head;
}

}  // namespace motley
