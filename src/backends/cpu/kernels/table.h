// What the kernels of one instruction set offer: plain structs and a table of functions, the only thing its namespace exports. Seen by
// the kernels (kernels/*.cpp, compiled once per set) and by the launchers beside them in backends/cpu, which validate and split the work;
// functions here do neither. Pointers need no alignment unless said.
//
//   const KernelTable& k = *kernel_table(Isa::avx2);    // backends/cpu/isa.h
//   k.binary[kAdd](out, x, y, n, 1, 0);                  // out[i] = x[i] + y[0]
#pragma once
#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/panel.h"

namespace motley::cpu {

enum Binary : int { kAdd, kSub, kMul, kDiv, kMaximum, kLess, kNumBinary };
enum Unary : int { kNeg, kExp, kLog, kSqrt, kRsqrt, kTanh, kErf, kSigmoid, kSilu, kGelu, kGeluTanh, kRelu, kSoftcap, kNumUnary };
enum Reduction : int { kReduceSum, kReduceMean, kReduceMax, kNumReductions };
constexpr int kNumActivations = 4;  // Glu kernels, in the order of ir's Activation: silu, gelu, gelu_tanh, relu
constexpr int kNumFinishes = kNumActivations + 1;

// Rows that a tile has at most.
constexpr int kMaxTileRows = 64;

// A register tile of a product: c[r][column] = (first ? 0 : c) + sum over k of a[k][r] * w[k][column], 64 columns.
struct FloatTile {
  const float* a = nullptr;  // [k][rows]
  int rows = 0;
  const uint8_t* w = nullptr;  // a panel at the tile's first k; f32, f16 or bf16 [k][64]
  int64_t k = 0;
  float* c = nullptr;
  int64_t c_stride = 0;  // floats from row to row
  bool first = false;
  // Bytes that will be read soon, to ask the memory for while this is computed: so many for each k. Null: none.
  const uint8_t* ask = nullptr;
  int64_t ask_step = 0;
};

// The same with int8 activations in blocks of 32 (one scale each) and a packed panel of a block format.
struct IntTile {
  const int8_t* a = nullptr;       // [blocks][rows][32]
  const float* a_scale = nullptr;  // [blocks][rows]
  const int32_t* a_sum = nullptr;  // [blocks][2][rows]: sums of the first and the second 16
  int rows = 0;
  const uint8_t* w = nullptr;  // a panel at the tile's first wide block
  int64_t blocks = 0;          // of 32
  float* c = nullptr;
  int64_t c_stride = 0;
  bool first = false;
  int64_t ahead = 0;  // bytes by which weights are asked for before they are read; 0: the processor is left to itself
  // One row: a panel that is read beside w as a second stream, and its c; null: none.
  const uint8_t* w2 = nullptr;
  float* c2 = nullptr;
};

// Attention of query rows that share a KV head with one chunk of positions. Keys and values are read where they lie, in the cache's type,
// or as the f32 that cache_to_float made of them; both give the same bits.
enum CacheType : int { kCacheF32, kCacheF16, kCacheBf16, kCacheQ8, kNumCacheTypes };
constexpr int kAttendChunk = 64, kAttendRun = 4;
struct AttendState {
  float* out;  // [rows][dv], not yet divided by sum
  float* max;  // [rows]
  float* sum;  // [rows]
};
struct AttendChunk {
  const float* q;  // [rows][d], scaled
  int rows;
  int64_t d, dv;
  CacheType k_type, v_type;
  // [kAttendChunk / kAttendRun]: where each run of kAttendRun positions lies, its rows one after the other. All are readable; a run that no
  // row of q sees may be any.
  const std::byte* const* k;
  const std::byte* const* v;
  // The same of the chunk that comes next, to ask the memory for; null: nothing to ask for.
  const std::byte* const* next_k;
  const std::byte* const* next_v;
  int64_t k_bytes, v_bytes;  // of a row
  const int* begin;          // [rows]: the chunk's positions begin .. end belong to the row
  const int* end;
  float softcap;
  const float* bias;  // [rows][kAttendChunk], added to the scores; null: none
  AttendState state;  // running
};

// Rows of the products q.k of an attention with a chunk's keys, [rows][kAttendChunk], which become the weights of its values: e^(score - max), where
// max takes the chunk in, and what the state holds of earlier chunks is brought to it. Columns outside begin .. end become 0; of a row without any
// nothing changes.
struct AttendWeights {
  float* score;
  int64_t rows, dv;
  const int* begin;
  const int* end;
  float scale, softcap;
  const float* bias;  // [rows][kAttendChunk], null: none
  AttendState state;  // running
};

// Rows of an attention's scores and of the gradient to its probabilities, [rows][kAttendChunk] both; they become the probabilities and the
// gradient to the products q.k. Columns outside begin .. end become 0.
struct AttendSlopes {
  float* score;
  float* slope;
  int rows;
  const int* begin;
  const int* end;
  float scale, softcap;
  const float* bias;  // [rows][kAttendChunk], null: none
  const float* lse;   // [rows]
  const float* mean;  // [rows]: sum of dy * y
};

// What follows a product, on rows of its result (ir/op.h, FusedMatmul): z = z scale + bias; out = finish(z), or z times finish's derivative at
// slope_at; plus residual. Null: left out. out may be where z is.
struct FinishRows {
  int64_t rows, n;
  const float* z;
  int64_t z_row;
  float* out;
  int64_t row;  // floats from row to row of out, slope_at, residual and kept
  float scale;
  const float* bias;  // [n]
  const float* slope_at;
  const float* residual;
  float* kept;  // gets z before it is finished
};

// One run of an update: n elements of each. `scale` multiplies the gradient, `keep` the weight (decoupled decay), `decay` is added to the
// gradient times the weight (L2).
struct UpdateRun {
  int64_t n;
  float *w, *m, *v;
  const float* g;
  float scale, keep, decay, rate;
  float beta1, one_minus_beta1, beta2, one_minus_beta2;
  float unbias, eps;  // Adam: sqrt(v) / unbias + eps
  bool nesterov;
};

// How many bytes before they are read weights are asked for. A panel is one stream, which processors follow by themselves, some far enough
// ahead and some not: two cores of a Zen 4 that read 35 GB/s lose up to a third where 4- to 6-bit weights of one row are asked for, and
// read q8_0 at 0.96 of it instead of 0.89; two of an Emerald Rapids with the same limit gain a third with every format (q4_0 0.64 to 0.86,
// q6_k 0.57 to 0.80, bf16 0.61 to 0.85).
struct ReadAhead {
  int64_t row = 0, row_of_bytes = 2048;  // one row of activations; with 8-bit weights, which are used up fastest
  int64_t rows = 4096;                   // several, which keep the core busy between two reads
  bool pairs = false;                    // one row: two panels at a time
};

struct KernelTable {
  const char* isa;
  ReadAhead ahead;

  // out[i] = op(a[i * a_step], b[i * b_step]); steps are 0 or 1
  void (*binary[kNumBinary])(float* out, const float* a, const float* b, int64_t n, int a_step, int b_step);
  void (*unary[kNumUnary])(float* out, const float* x, int64_t n, float parameter);
  void (*glu[kNumActivations])(float* out, const float* gate, const float* up, int64_t n);

  // One row of n, or `columns` columns of n elements that lie `stride` apart.
  float (*reduce_row[kNumReductions])(const float* x, int64_t n);
  void (*reduce_columns[kNumReductions])(float* out, const float* x, int64_t n, int64_t stride, int64_t columns);
  void (*softmax_row)(float* out, const float* x, int64_t n);
  void (*softmax_columns)(float* out, const float* x, int64_t n, int64_t stride, int64_t columns);
  void (*rms_norm)(float* out, const float* x, const float* w, int64_t n, float eps, float offset);
  void (*add_rms_norm)(float* sum, float* out, const float* x, const float* y, const float* w, int64_t n, float eps, float offset);
  void (*layer_norm)(float* out, const float* x, const float* w, const float* b, int64_t n, float eps);
  void (*add_layer_norm)(float* sum, float* out, const float* x, const float* y, const float* w, const float* b, int64_t n, float eps);

  // One head: turns the first 2 * pairs elements, copies the rest.
  void (*rope_half)(float* out, const float* x, const float* cos, const float* sin, int64_t pairs, int64_t d);
  void (*rope_interleaved)(float* out, const float* x, const float* cos, const float* sin, int64_t pairs, int64_t d);

  // Products, a panel per call; the rows of a FloatTile must be one of tile_rows (ascending, the first is 1).
  const int* tile_rows;
  int num_tile_rows;
  void (*float_tile[3])(const FloatTile& tile);  // weights f32, f16, bf16
  // Writes `rows` activations of k elements each as the a, a_scale and a_sum of an IntTile; and as the a of a FloatTile.
  void (*quantise)(const float* const* x, int rows, int64_t k, int8_t* a, float* a_scale, int32_t* a_sum);
  void (*interleave)(const float* const* x, int rows, int64_t k, float* a);
  void (*finish[kNumFinishes])(const FinishRows& rows);  // in the order of ir's Finish: none, silu, gelu, gelu_tanh, relu
  void (*int_tile[kNumBlockFormats])(const IntTile& tile);
  void (*unpack_floats[kNumBlockFormats])(const uint8_t* w, int64_t blocks, float* out);  // [32 blocks][64]

  void (*attend)(const AttendChunk& chunk);
  void (*attend_join)(const AttendState& total, const AttendState& part, int rows, int64_t dv);  // takes the part into the total
  void (*cache_to_float[kNumCacheTypes])(float* out, const std::byte* x, int64_t n);

  // Learning. Gradients of rows; dw and db are added to.
  void (*act_grad[kNumActivations])(float* dx, const float* x, const float* dy, int64_t n);
  void (*rms_norm_grad)(float* dx, float* dw, const float* x, const float* w, const float* dy, int64_t n, float eps, float offset);
  void (*layer_norm_grad)(float* dx, float* dw, float* db, const float* x, const float* w, const float* dy, int64_t n, float eps);
  float (*square_sum)(const float* x, int64_t n);
  float (*dot)(const float* x, const float* y, int64_t n);
  float (*log_sum_exp)(const float* x, int64_t n);
  void (*softmax_grad)(float* dx, const float* x, int64_t n, float lse, float scale, float each);  // scale * (exp(x - lse) - each)
  void (*attend_weights)(const AttendWeights& rows);
  void (*attend_slopes)(const AttendSlopes& rows);
  void (*adamw)(const UpdateRun& run);
  void (*momentum)(const UpdateRun& run);  // beta1 the old average's share, one_minus_beta1 the gradient's
  void (*lion)(const UpdateRun& run);

  // What is left of tiles without their arithmetic: they read the same bytes in the same order. See Device::omit.
  void (*read_int_tile[kNumBlockFormats])(const IntTile& tile);
  void (*read_float_tile[3])(const FloatTile& tile);
  void (*read_attend)(const AttendChunk& chunk);
  bool one_panel;  // of Device::omit: panel 0 of a weight stands for all, page 0 of a cache likewise

  // Probes (runtime/probe.h): reads `bytes` in `streams` interleaved streams, prefetching `ahead` bytes (0: not); sums keep the loads alive.
  uint64_t (*probe_read)(const uint8_t* p, int64_t bytes, int streams, int64_t ahead);
  double (*probe_fma)(int64_t rounds);  // multiply-adds done per call: returned
  double (*probe_int8)(int64_t rounds);
};

}  // namespace motley::cpu
