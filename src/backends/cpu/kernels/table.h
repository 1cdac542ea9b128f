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

// A register tile of a product: c[r][column] = (first ? 0 : c) + sum over k of a[k][r] * w[k][column], 64 columns.
struct FloatTile {
  const float* a = nullptr;  // [k][rows]
  int rows = 0;
  const uint8_t* w = nullptr;  // a panel at the tile's first k; f32, f16 or bf16 [k][64]
  int64_t k = 0;
  float* c = nullptr;
  int64_t c_stride = 0;  // floats from row to row
  bool first = false;
};

// The same with int8 activations in blocks of 32 (one scale each) and a packed panel of a block format.
struct IntTile {
  const int8_t* a = nullptr;       // [blocks][8][rows][4]
  const float* a_scale = nullptr;  // [blocks][rows]
  const int32_t* a_sum = nullptr;  // [blocks][2][rows]: sums of the first and the second 16
  int rows = 0;
  const uint8_t* w = nullptr;  // a panel at the tile's first wide block
  int64_t blocks = 0;          // of 32
  float* c = nullptr;
  int64_t c_stride = 0;
  bool first = false;
};

// A panel's blocks unpacked for reuse by many rows: what IntTile computes with, as bytes and floats.
struct StagedPanel {
  const uint8_t* q = nullptr;    // [blocks][strip][8][16][4], 64-byte aligned
  int64_t block_bytes = 0;       // of q, from one block to the next
  const float* scale = nullptr;  // [blocks][1 or 2][64]
  const float* min = nullptr;    // the same, for formats that have it
};
struct StagedTile {
  const int8_t* a = nullptr;
  const float* a_scale = nullptr;
  const int32_t* a_sum = nullptr;
  int rows = 0;
  StagedPanel w = {};
  int64_t blocks = 0;
  float* c = nullptr;
  int64_t c_stride = 0;
  bool first = false;
};

// Attention of a few query rows that share a KV head with one chunk of positions, already in f32.
struct AttendChunk {
  const float* q;  // [rows][d], scaled
  int rows;
  int64_t d, dv;
  const float* k;    // [positions][d]
  const float* v;    // [positions][dv]
  int positions;     // at most kAttendChunk
  const int* begin;  // [rows]: the chunk's positions begin .. end belong to the row
  const int* end;
  float softcap;
  float* max;  // [rows], running
  float* sum;  // [rows]
  float* out;  // [rows][dv], running, not yet divided by sum
};
constexpr int kAttendChunk = 64;

// Rows of an attention's scores and of the gradient to its probabilities, [rows][kAttendChunk] both; they become the probabilities and the
// gradient to the products q.k. Columns outside begin .. end become 0.
struct AttendSlopes {
  float* score;
  float* slope;
  int rows;
  const int* begin;
  const int* end;
  float scale, softcap;
  const float* lse;   // [rows]
  const float* mean;  // [rows]: sum of dy * y
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

struct KernelTable {
  const char* isa;

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

  // One head: turns the first 2 * pairs elements, copies the rest.
  void (*rope_half)(float* out, const float* x, const float* cos, const float* sin, int64_t pairs, int64_t d);
  void (*rope_interleaved)(float* out, const float* x, const float* cos, const float* sin, int64_t pairs, int64_t d);

  // Products, a panel per call; rows must be one of tile_rows (ascending, the first is 1).
  const int* tile_rows;
  int num_tile_rows;
  int direct_rows;                               // the largest tile of int_tile, which reads the panel itself
  int few_rows;                                  // up to so many rows that is quicker than to share a staged one; at least direct_rows
  void (*float_tile[3])(const FloatTile& tile);  // weights f32, f16, bf16
  // Writes `rows` activations of k elements each as the a, a_scale and a_sum of an IntTile; and as the a of a FloatTile.
  void (*quantise)(const float* const* x, int rows, int64_t k, int8_t* a, float* a_scale, int32_t* a_sum);
  void (*interleave)(const float* const* x, int rows, int64_t k, float* a);
  void (*int_tile[kNumBlockFormats])(const IntTile& tile);                                                  // rows <= direct_rows
  void (*stage[kNumBlockFormats])(const uint8_t* w, int64_t blocks, uint8_t* q, float* scale, float* min);  // q may be null for q8_0
  void (*stage_float[kNumBlockFormats])(const uint8_t* w, int64_t blocks, float* out);                      // [32 blocks][64]
  void (*staged_tile[kNumBlockFormats])(const StagedTile& tile);

  void (*attend)(const AttendChunk& chunk);

  // Learning. Gradients of rows; dw and db are added to.
  void (*act_grad[kNumActivations])(float* dx, const float* x, const float* dy, int64_t n);
  void (*rms_norm_grad)(float* dx, float* dw, const float* x, const float* w, const float* dy, int64_t n, float eps, float offset);
  void (*layer_norm_grad)(float* dx, float* dw, float* db, const float* x, const float* w, const float* dy, int64_t n, float eps);
  float (*square_sum)(const float* x, int64_t n);
  float (*dot)(const float* x, const float* y, int64_t n);
  float (*log_sum_exp)(const float* x, int64_t n);
  void (*softmax_grad)(float* dx, const float* x, int64_t n, float lse, float scale, float each);  // scale * (exp(x - lse) - each)
  void (*attend_slopes)(const AttendSlopes& rows);
  void (*adamw)(const UpdateRun& run);
  void (*momentum)(const UpdateRun& run);  // beta1 the old average's share, one_minus_beta1 the gradient's
  void (*lion)(const UpdateRun& run);

  void (*to_float[2])(float* out, const uint16_t* x, int64_t n);  // f16, bf16

  // Probes (runtime/probe.h): reads `bytes` in `streams` interleaved streams, prefetching `ahead` bytes (0: not); sums keep the loads alive.
  uint64_t (*probe_read)(const uint8_t* p, int64_t bytes, int streams, int64_t ahead);
  double (*probe_fma)(int64_t rounds);  // multiply-adds done per call: returned
  double (*probe_int8)(int64_t rounds);
};

}  // namespace motley::cpu
