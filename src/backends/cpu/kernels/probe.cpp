// What the processor reaches when nothing else is in the way: reading memory, and multiply-adds from registers.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/simd.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

// Streams lie one after the other; each step reads one cache line of each.
template <int kStreams, bool kPrefetch>
uint64_t read_streams(const uint8_t* p, int64_t bytes, int64_t ahead) {
  int64_t each = bytes / kStreams / 128 * 128;
  F sum[kStreams < 4 ? 4 : kStreams];
  for (F& s : sum) s = zero();
  for (int64_t i = 0; i < each; i += 128) {
    for (int s = 0; s < kStreams; ++s) {
      const uint8_t* at = p + s * each + i;
      if (kPrefetch) {
        __builtin_prefetch(at + ahead);
        __builtin_prefetch(at + ahead + 64);
      }
      sum[s] = add(sum[s], load(reinterpret_cast<const float*>(at)));
      sum[kStreams == 1 ? 1 : s] = add(sum[kStreams == 1 ? 1 : s], load(reinterpret_cast<const float*>(at + 64)));
    }
  }
  for (int s = 1; s < (kStreams < 4 ? 4 : kStreams); ++s) sum[0] = add(sum[0], sum[s]);
  float total = reduce_add(sum[0]);
  uint32_t bits;
  memcpy(&bits, &total, 4);
  return bits;
}

template <bool kPrefetch>
uint64_t read_any(const uint8_t* p, int64_t bytes, int streams, int64_t ahead) {
  switch (streams) {
    case 1:
      return read_streams<1, kPrefetch>(p, bytes, ahead);
    case 4:
      return read_streams<4, kPrefetch>(p, bytes, ahead);
    default:
      return read_streams<8, kPrefetch>(p, bytes, ahead);
  }
}

uint64_t probe_read(const uint8_t* p, int64_t bytes, int streams, int64_t ahead) {
  return ahead > 0 ? read_any<true>(p, bytes, streams, ahead) : read_any<false>(p, bytes, streams, ahead);
}

// As many independent chains as hide the latency and fit the registers.
#if defined(MOTLEY_ISA_GENERIC)
constexpr int kChains = 2;
#elif defined(__AVX512F__)
constexpr int kChains = 16;
#else
constexpr int kChains = 5;
#endif

double probe_fma(int64_t rounds) {
  F acc[kChains], x = set(1.0000001f), y = set(1e-9f);
  float start[kChains * 16];  // all lanes differ: equal halves of a vector would be computed once
  for (int i = 0; i < kChains * 16; ++i) start[i] = static_cast<float>(i);
  for (int i = 0; i < kChains; ++i) acc[i] = load(start + 16 * i);
  for (int64_t r = 0; r < rounds; ++r)
    for (int i = 0; i < kChains; ++i) acc[i] = fma(acc[i], x, y);
  F sum = zero();
  for (int i = 0; i < kChains; ++i) sum = add(sum, acc[i]);
  return static_cast<double>(rounds) * kChains * 16 + (reduce_add(sum) == 12345.0f ? 1 : 0);
}

// Each chain has weights of its own and each round another activation, or the compiler would multiply once and only add.
double probe_int8(int64_t rounds) {
  I acc[kChains];
  alignas(64) uint8_t weights[kChains * 64], activations[4 * 64];
  for (int i = 0; i < kChains * 64; ++i) weights[i] = static_cast<uint8_t>(i * 7 % 101);
  for (int i = 0; i < 4 * 64; ++i) activations[i] = static_cast<uint8_t>(i * 5 % 97);
  for (int i = 0; i < kChains; ++i) acc[i] = set_int(i);
  for (int64_t r = 0; r < rounds; ++r) {
    B a = load_bytes(activations + 64 * (r & 3));
    for (int i = 0; i < kChains; ++i) acc[i] = dot(acc[i], load_bytes(weights + 64 * i), a);
  }
  int32_t sum = 0;
  for (int i = 0; i < kChains; ++i) sum ^= reduce_add_int(acc[i]);
  return static_cast<double>(rounds) * kChains * 64 + (sum == 12345 ? 1 : 0);
}

// Tiles without arithmetic: every line of the panel is read, and added up so that the reads stay.
void read_panel(const uint8_t* p, int64_t bytes, int64_t ahead, float* c, int rows, int64_t c_stride) {
  F sum[4] = {zero(), zero(), zero(), zero()};
  for (int64_t i = 0; i < bytes; i += 256) {
    for (int s = 0; s < 4; ++s) {
      if (i + 64 * s >= bytes) break;
      if (ahead > 0) __builtin_prefetch(p + i + 64 * s + ahead, 0, 2);
      sum[s] = max(sum[s], load(reinterpret_cast<const float*>(p + i + 64 * s)));
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int s = 0; s < kStrips; ++s) store(c + r * c_stride + kStripColumns * s, sum[s]);
}

template <int kFormat>
void read_int_tile(const IntTile& t) {
  constexpr BlockSpec s = kBlockSpecs[kFormat];
  const int64_t ahead = t.rows > 1 ? 4096 : s.low_bits == 8 ? 2048 : 0;
  read_panel(t.w, panel_bytes(s, 32 * t.blocks), ahead, t.c, t.rows, t.c_stride);
  if (t.w2) read_panel(t.w2, panel_bytes(s, 32 * t.blocks), ahead, t.c2, t.rows, t.c_stride);
}

template <int kElementBytes>
void read_float_tile(const FloatTile& t) {
  read_panel(t.w, float_panel_bytes(kElementBytes, t.k), 0, t.c, t.rows, t.c_stride);
}

void read_attend(const AttendChunk& c) {
  int first = kAttendChunk, last = 0;
  for (int r = 0; r < c.rows; ++r) {
    first = c.begin[r] < first ? c.begin[r] : first;
    last = c.end[r] > last ? c.end[r] : last;
  }
  F sum = zero();
  auto read = [&](const std::byte* const* runs, const std::byte* const* next, int64_t row) {
    for (int i = first / kAttendRun; i < (last + kAttendRun - 1) / kAttendRun; ++i) {
      for (int64_t at = 0; at + 64 <= kAttendRun * row; at += 64) {
        if (next) __builtin_prefetch(next[i] + at, 0, 2);
        sum = max(sum, load(reinterpret_cast<const float*>(runs[i] + at)));
      }
    }
  };
  read(c.k, c.next_k, c.k_bytes);
  read(c.v, c.next_v, c.v_bytes);
  for (int r = 0; r < c.rows; ++r) c.state.max[r] = 0, c.state.sum[r] = reduce_max(sum) > 0 ? 1.0f : 2.0f;
}

template <int kFormat = 0>
void fill_reads(KernelTable& t) {
  t.read_int_tile[kFormat] = read_int_tile<kFormat>;
  if constexpr (kFormat + 1 < kNumBlockFormats) fill_reads<kFormat + 1>(t);
}

}  // namespace

void fill_probes(KernelTable& t) {
  fill_reads(t);
  t.read_attend = read_attend;
  t.read_float_tile[0] = read_float_tile<4>;
  t.read_float_tile[1] = t.read_float_tile[2] = read_float_tile<2>;
  t.probe_read = probe_read;
  t.probe_fma = probe_fma;
  t.probe_int8 = probe_int8;
}

}  // namespace motley::cpu::MOTLEY_ISA
