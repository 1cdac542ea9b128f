#include "io/dataset/byte_stream.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/error.h"

namespace motley {
namespace {

constexpr size_t kBlock = 256 << 10;
// 128 MiB, what zstd's own decoder accepts unasked: a frame's header alone decides how much a decoder must keep.
constexpr int kMostWindowLog = 27;

class Unpacker {
 public:
  virtual ~Unpacker() = default;
  // Takes from in, puts to out, says how much of each. ended: a packed part is complete and what follows begins anew.
  struct Moved {
    size_t taken = 0, put = 0;
    bool ended = false;
    const char* problem = nullptr;
  };
  virtual Moved move(std::string_view in, std::span<char> out) = 0;
  virtual bool begins(std::string_view in) const = 0;  // another part
};

class Gunzip : public Unpacker {
 public:
  Gunzip() { check(inflateInit2(&z_, 15 + 16) == Z_OK, "zlib starts"); }
  ~Gunzip() override { inflateEnd(&z_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  Moved move(std::string_view in, std::span<char> out) override {
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));  // zlib only reads it
    z_.avail_in = static_cast<uInt>(in.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    const int code = inflate(&z_, Z_NO_FLUSH);
    Moved moved{in.size() - z_.avail_in, out.size() - z_.avail_out, code == Z_STREAM_END};
    if (moved.ended) inflateReset(&z_);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) moved.problem = z_.msg ? z_.msg : "damaged";
    return moved;
  }
  bool begins(std::string_view in) const override { return in.starts_with("\x1f\x8b"); }

 private:
  z_stream z_{};
};

class Unzstd : public Unpacker {
 public:
  Unzstd() : stream_(ZSTD_createDStream()) {
    check(stream_ && !ZSTD_isError(ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kMostWindowLog)), "zstd starts");
  }
  ~Unzstd() override { ZSTD_freeDStream(stream_); }
  Unzstd(const Unzstd&) = delete;
  Unzstd& operator=(const Unzstd&) = delete;

  Moved move(std::string_view in, std::span<char> out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const size_t code = ZSTD_decompressStream(stream_, &to, &from);
    Moved moved{from.pos, to.pos, code == 0};
    if (ZSTD_isError(code)) moved.problem = ZSTD_getErrorName(code);
    return moved;
  }
  bool begins(std::string_view in) const override {
    const bool skippable = in.size() >= 4 && (in[0] & '\xf0') == '\x50' && in.substr(1, 3) == "\x2a\x4d\x18";
    return in.starts_with("\x28\xb5\x2f\xfd") || skippable;
  }

 private:
  ZSTD_DStream* stream_;
};

}  // namespace

struct ByteStream::State {
  explicit State(ByteSource from) : source(std::move(from)) {
    fill();
    for (auto make : {+[]() -> std::unique_ptr<Unpacker> { return std::make_unique<Gunzip>(); },
                      +[]() -> std::unique_ptr<Unpacker> { return std::make_unique<Unzstd>(); }}) {
      auto candidate = make();
      if (!candidate->begins(packed())) continue;
      unpacker = std::move(candidate);
      name = unpacker->begins("\x1f\x8b") ? "gzip" : "zstd";
      out.resize(kBlock);
      return;
    }
  }

  std::string_view packed() const { return {in.data() + in_begin, in_end - in_begin}; }

  // More of the file behind what is left of the last block.
  void fill() {
    if (at == source.size()) return;
    if (in_begin > 0) {
      std::copy(in.begin() + static_cast<std::ptrdiff_t>(in_begin), in.begin() + static_cast<std::ptrdiff_t>(in_end), in.begin());
      in_end -= in_begin;
      in_begin = 0;
    }
    const size_t n = static_cast<size_t>(std::min<uint64_t>(kBlock - in_end, source.size() - at));
    in.resize(in_end + n);
    source.copy(at, std::as_writable_bytes(std::span(in.data() + in_end, n)));
    in_end += n;
    at += n;
  }

  [[noreturn]] void cut_short() const {
    fail(ErrorKind::file, "data", "{} ends in the middle of its {} data: {} bytes are there; was the copy cut short?", source.path(), name,
         source.size());
  }

  void unpack() {
    out_begin = out_end = 0;
    while (out_end == 0) {
      if (packed().size() < 4) fill();  // enough to see how a part begins
      const std::string_view rest = packed();
      if (rest.empty() && !within) return;
      if (!within && !unpacker->begins(rest))
        fail(ErrorKind::file, "data", "{}: bytes that are not {} begin at byte {}", source.path(), name, at - rest.size());
      const auto moved = unpacker->move(rest, out);
      if (moved.problem)
        fail(ErrorKind::file, "data", "{} is damaged: {} says '{}' near byte {}", source.path(), name, moved.problem, at - rest.size() + moved.taken);
      within = !moved.ended;
      in_begin += moved.taken;
      out_end = moved.put;
      unpacked += moved.put;
      if (unpacked > kFreeBytes && unpacked / kMostRatio > at)
        fail(ErrorKind::file, "data", "{}: {} bytes of {} unpack to more than {} bytes, which no text does; unpack it yourself if you trust it",
             source.path(), at, name, unpacked);
      if (moved.taken > 0 || moved.put > 0 || moved.ended) continue;
      if (at == source.size()) cut_short();
      if (in_end == kBlock) fail(ErrorKind::file, "data", "{} is damaged: {} finds nothing to unpack near byte {}", source.path(), name, at);
      fill();
    }
  }

  ByteSource source;
  std::vector<char> in, out;
  size_t in_begin = 0, in_end = 0, out_begin = 0, out_end = 0;
  uint64_t at = 0, unpacked = 0;
  std::unique_ptr<Unpacker> unpacker;
  std::string_view name;
  bool within = false;  // a packed part that is not complete
};

ByteStream::ByteStream(ByteSource source) : state_(std::make_unique<State>(std::move(source))) {}
ByteStream::~ByteStream() = default;
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;

std::string_view ByteStream::ahead() {
  State& s = *state_;
  if (!s.unpacker) {
    if (s.in_begin == s.in_end) s.fill();
    return s.packed();
  }
  if (s.out_begin == s.out_end) s.unpack();
  return {s.out.data() + s.out_begin, s.out_end - s.out_begin};
}

void ByteStream::skip(size_t n) { (state_->unpacker ? state_->out_begin : state_->in_begin) += n; }

int ByteStream::get() {
  const std::string_view bytes = ahead();
  if (bytes.empty()) return -1;
  const auto byte = static_cast<unsigned char>(bytes[0]);
  skip(1);
  return byte;
}

const std::string& ByteStream::path() const { return state_->source.path(); }
uint64_t ByteStream::consumed() const { return state_->at; }
uint64_t ByteStream::size() const { return state_->source.size(); }
std::string_view ByteStream::packing() const { return state_->name; }

}  // namespace motley
